"""Compares a handwritten gradient with autodiff's, and finds the mistakes in the user's code.

__main__    the command `python -m manual_grads.check`
child       the process in which the command runs the user's code
comparison  the comparison of a handwritten gradient with autodiff's
tolerance   the largest difference that rounding can explain
returned    checks of the structure, shapes and types of a handwritten gradient
layouts     the structures of parameters and gradients, and the template file
sample      checks of the loss and the batch; random parameters and batches
formulas    the right and wrong formulas with which the user's code is compared
lines       the search for the formula that each line of the user's code computes
diagnosis   the search for the mistakes that explain a wrong gradient
report      the result as a table, an image and JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
