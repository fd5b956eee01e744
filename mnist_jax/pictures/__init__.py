"""Converts pictures of a digit into images like MNIST's.

files          reading a picture of any format
ink            separating the dark or light ink of a picture from the background
network_image  cropping, scaling and placing a digit in 28×28
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
