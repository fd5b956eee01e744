"""Pictures of a digit, brought into the form of MNIST's images.

files          reading a picture of any format
ink            the ink of a picture: the background removed, dark on light or light on dark
network_image  cropping, scaling and placing a digit in 28×28
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
