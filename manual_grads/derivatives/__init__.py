"""The document's derivatives by hand, without autodiff.

document         the five derivatives as the document derives them
activations      each activation beside its slope
loss             each loss beside its derivative
network          forward and backward pass of any depth
rounding_bound   how far rounding can carry a gradient from the exact one
agreement        two gradients compared by that bound
validation       what the handwritten gradient refuses
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
