"""Training: from the first step to a complete run directory.

gradients   the ways to compute the gradient
optimizer   the optimiser and the learning rate
step        a training step and the evaluation, as pure functions
state       the state of a run, as saved in a checkpoint
devices     the devices, and how arrays are divided over them
compiled    the functions of `step`, compiled for a run
failures    the errors that end training
loop        the training loop
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
