"""Code that the experiments share.

record      writes and publishes the JSON file of an experiment
cache       cached results, so that a stopped experiment can continue
sweep       training with several seeds at the same time
intervals   medians, means and proportions, with confidence intervals
timing      times a call, orders repeated measurements, and counts operations
drawing     makes reports and figures from an experiment's JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
