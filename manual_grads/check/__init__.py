"""The checker of handwritten gradients: it finds the wrong leaves and the mistakes in them.

__main__    the command `python -m manual_grads.check`
child       the process in which the command runs the user's code
gradient    the comparison of a handwritten gradient with autodiff's
returned    the checks of what a gradient function returned
sample      the loss and the random inputs of a check
diagnosis   the search for the mistakes
report      the result as a table, an image and JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
