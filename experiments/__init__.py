"""Programs that run the product many times, and write what they measured as JSON.

accuracy   what test accuracy a configuration reaches, over several seeds
compare    how the handwritten gradient and autodiff differ, everything else equal
biases     what training with biases does when it is right, and when it is not
mistakes   which injected mistakes the gradient check names
speed      how long steps, compiling, checks and checkpoints take
common     what these programs share
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
