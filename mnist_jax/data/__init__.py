"""The datasets: `load(config)` returns a `Dataset` of NumPy arrays, whatever the source is.

sources     choosing the source
dataset     the types that every source returns
published   files, checksums and mirrors of MNIST and Fashion-MNIST, and reading their files
download    downloading their files
digits      scikit-learn's small digits
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
