"""Finds the causes of a wrong gradient.

measured  the user's gradient of single examples and of batches
finished  mistakes that are found even if the network is unknown, such as clipping
batches   how many times each example of a batch is counted
mixtures  batches with miscounted examples, exchanged labels, or a formula that mixes examples
causes    a mistake, where it is, the user's formula and the right one
diagnose  all tests, in order
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
