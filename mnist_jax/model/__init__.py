"""The network and its losses, as pure functions of a pytree of parameters.

activations   f, by name
network       initial parameters, and the forward pass
loss          the losses, and what the network is given
trained       a trained network, which predicts
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
