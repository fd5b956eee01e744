"""From the first step to a whole run directory.

gradients   who computes the gradient: one record a mode
optimizer   gradients into updates
step        one step, and the evaluation, as pure functions
state       what a run carries from block to block
compiled    these functions compiled for a run
failures    what ends a training with an error
loop        prepare, train, save, finish
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
