"""Handwritten digits as arrays: `load(config) -> Dataset`, whatever the source.

sources     which source a run reads
dataset     what every source returns
published   MNIST and Fashion-MNIST as they were published
idx         their file format
download    the mirrors
digits      the small digits that scikit-learn carries
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
