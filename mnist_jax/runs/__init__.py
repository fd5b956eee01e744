"""The files of a run: reading, writing and locking.

files         atomic writes, and reads with a size limit
directory     the run directory: configuration, metrics, parameters, result
checkpoints   the states from which a run can be resumed
claim         locking the run directory, so that only one process uses it
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
