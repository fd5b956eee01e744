"""Derivatives by hand, and the check of anyone's.

cli            flags, errors and signals of every command
architecture   which network and which loss
leaves         the leaves of a pytree by name
targets        labels as the targets of a loss
derivatives    the handwritten backward pass, and what rounding can do to it
check          which of somebody's derivatives is wrong, and why
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
