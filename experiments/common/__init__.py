"""What the experiments share.

record      where the numbers of an experiment go
cache       cached results, so that an experiment that was stopped can go on
timing      seconds, and the comparison of training times
intervals   medians, means and shares with their confidence intervals
drawing     reports and figures, drawn from an experiment's JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
