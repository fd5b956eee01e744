"""Commands that measure the training, the gradients and the check, and write JSON files.

accuracy       the test accuracy of a configuration, over several seeds
recipe_search  the accuracies of many settings, on held-out training images
compare        training with the handwritten gradient, compared with training with autodiff
biases         training the biases of a network with right and with wrong gradients
mistakes       how many injected mistakes the gradient check names
speed          the time of training and of its parts, compared with other libraries
common         code that these commands share
"""

import lazy_loader

from manual_grads.cli import signals

signals.end_at_once(__name__)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
