"""Commands that run the product many times, and write what they measure as JSON.

accuracy   the test accuracy of a configuration, over several seeds
compare    training with the handwritten gradient compared with autodiff's
biases     training biases with the right gradient and with wrong ones
mistakes   which injected mistakes the gradient check names
speed      how long steps, compiling, checks and checkpoints take
common     code that these commands share
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
