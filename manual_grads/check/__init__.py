"""Checks handwritten gradients: finds the wrong leaves and the mistakes that explain them.

__main__    the command `python -m manual_grads.check`
child       the process in which the command runs the user's code
gradient    the comparison of a handwritten gradient with autodiff's
tolerance   the largest difference that rounding can explain
returned    the checks of the value that a gradient function returned
layouts     the structures of parameters and gradients, and the template file
sample      the random inputs of a check
formulas    the right and wrong formulas that lines of the user's code are compared with
lines       the search for the formula that each line of the user's code computes
diagnosis   the search for the mistakes that explain a wrong gradient
report      the result as a table, an image and JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
