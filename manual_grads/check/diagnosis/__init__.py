"""From the user's gradient to the causes of what is wrong with it.

measured    the user's gradient of single examples and of batches
calls       what shows only in several calls
batches     how a batch is made of its examples
recounting  examples that are miscounted or have the labels of others
mixtures    batches whose examples are mixed with each other
finished    what a finished gradient shows, also without knowing the network
causes      a mistake, its places, and both formulas
diagnose    the questions in their order
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
