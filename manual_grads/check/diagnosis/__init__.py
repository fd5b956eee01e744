"""Finds the causes of a wrong gradient.

measured  the user's gradient of single examples and of batches
finished  mistakes that are found even if the network is unknown, such as clipping
batches   how many times each example of a batch is counted
mixtures  batches with miscounted examples, exchanged labels, or examples that affect each other
causes    a mistake, its places, and both formulas
diagnose  all tests, in their order
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
