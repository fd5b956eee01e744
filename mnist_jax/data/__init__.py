"""The datasets: `load(config)` returns a `Dataset` of NumPy arrays, whatever the source is.

sources     choosing the source
dataset     the types that every source returns
published   the files, checksums and mirrors of MNIST and Fashion-MNIST, and reading the files
download    downloading the files from the mirrors
digits      scikit-learn's small digits
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
