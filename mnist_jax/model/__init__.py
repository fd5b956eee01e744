"""The network and its losses, as pure functions of a pytree of parameters.

activations   the activation functions
network       initial parameters, and the forward pass
loss          the losses, and the network's inputs
trained       a trained network that classifies images
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
