"""The checker of handwritten gradients: it finds the wrong leaves and the mistakes in them.

__main__    the command `python -m manual_grads.check`
child       the process in which the command runs the user's code
gradient    the comparison of a handwritten gradient with autodiff's
tolerance   the largest difference that rounding can explain
returned    the checks of what a gradient function returned
layouts     the forms of parameters and gradients, and a file to begin with
sample      the random inputs of a check
formulas    the formulas that lines are compared with
lines       the search for the formula of each line
diagnosis   from the gradient to the causes of what is wrong
report      the result as a table, an image and JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
