"""What a run leaves on disk, and who may write there.

files         writing a file whole or not at all, reading no more than expected
directory     the run directory: configuration, metrics, parameters, result
checkpoints   the states that a run can go on from
claim         one process a run directory
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
