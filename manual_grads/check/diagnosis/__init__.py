"""From the user's gradient to the causes of what is wrong with it.

measured  the user's gradient of single examples and of batches
finished  what finished gradients show, also without knowing the network
batches   how a batch is made of its examples
mixtures  batches whose examples are miscounted, have other labels, or are mixed with each other
causes    a mistake, its places, and both formulas
diagnose  the questions in their order
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
