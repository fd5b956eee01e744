"""The document's network as pure JAX functions, trained on handwritten digits.

config     everything that decides a run
clock      how long a run takes, part by part
model      the network and its losses
data       MNIST, Fashion-MNIST and the small digits, verified
runs       what a run leaves on disk
training   from the first epoch to a whole run directory
train      the command that trains
evaluate   the command that evaluates a run
figures    the figures of a run
progress   the bars and lines of a run
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
