"""Which injected mistakes the gradient check names.

__main__   the command `python -m experiments.mistakes`
trials     one network: mistakes are injected, and the verdicts are judged
cases      every mistake in every place that it fits, and the networks
gradient   handwritten gradients in NumPy, with mistakes injected
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
