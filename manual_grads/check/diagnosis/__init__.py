"""Finds the causes of a wrong gradient.

measured         the user's gradient of single examples and of batches
without_network  tests that need no network, such as the test for clipping
batches          how many times each example of a batch is counted
mixed_examples   miscounted examples, exchanged labels, and formulas that mix examples
causes           a mistake, its places, the user's formula and the right formula
diagnose         runs all tests in order
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
