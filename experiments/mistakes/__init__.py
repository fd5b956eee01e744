"""An experiment that counts how many injected mistakes the gradient check names.

__main__   the command `python -m experiments.mistakes`
trials     injects mistakes into the gradient of one network, and judges the check's report
cases      the networks, and every mistake in every place where it is possible
gradient   handwritten gradients in NumPy, with injected mistakes
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
