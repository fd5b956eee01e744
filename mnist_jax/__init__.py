"""A fully connected network as pure JAX functions, trained on handwritten digits.

config      the configuration of a run
background  calling a function in a thread
clock       a timer for each part of a run
pictures    converting pictures of a digit into images like MNIST's
model       the network and its losses
data        MNIST, Fashion-MNIST and scikit-learn's small digits
processes   a run of several processes
runs        the files of a run: reading, writing, locking
training    gradients, optimiser, training loop
train       the command that trains
evaluate    the command that evaluates a trained network
recognise   the command that recognises a picture of a digit
page        a local page that shows the derivatives for a drawing
figures     the figures of a run
progress    progress bars and progress lines
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
