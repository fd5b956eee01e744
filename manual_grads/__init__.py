"""Handwritten derivatives of a neural network, and a checker of handwritten gradients.

cli            the flags, error messages and signal handlers that every command uses
architecture   the description of a network and its loss
leaves         names of the leaves of a pytree
targets        the targets of a loss, computed from labels
derivatives    the handwritten backward pass, and a bound on its rounding error
check          the checker, which finds a gradient's wrong leaves and the mistakes in its code
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
