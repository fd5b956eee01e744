"""Finds the causes of a wrong gradient.

measured  the user's gradient of single examples and of batches
finished  tests that need no network, such as the test for clipping
batches   how many times each example of a batch is counted
mixtures  batches with miscounted examples, exchanged labels, or a formula that mixes examples
causes    a mistake, its places, the user's formula and the right formula
diagnose  runs all tests in order
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
