"""How long parts of the product take; each file is a command.

steps         a training step with each gradient, `python -m experiments.speed.steps`
throughput    training beside a matrix product, `python -m experiments.speed.throughput`
checks        the gradient check, `python -m experiments.speed.checks`
checkpoints   what checkpoints add to a run, `python -m experiments.speed.checkpoints`
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
