"""Handwritten derivatives, computed without autodiff.

document         the five derivatives of the text that this project starts from
activations      the activations and their slopes
loss             the losses and their derivatives
network          the forward and backward pass of a network of any depth
rounding_bound   an upper bound on the rounding error of a gradient
agreement        the comparison of two gradients, with this bound
validation       checks of the arguments of the handwritten gradient
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
