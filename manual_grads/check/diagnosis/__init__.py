"""Which line of a backward pass is wrong, and what it computes instead.

problem        the loss of a network that a gradient is checked against
scene          the values of the network on single examples
formulas       formulas as text, and the search for one that gives the observed numbers
tables         the formulas that can stand in each place of a line
namespace      the names that formulas use
readings       the columns and rows of weight derivatives
delta_lines    the formula of a line that computes δ
clipping       derivatives that are clipped on their way back
leaf_lines     the formula of a line that computes a weight or bias derivative
forward_lines  what can be wrong in a line of the forward pass
answers        what each line computes
search         reads δ off single examples, and asks each line in turn
batches        how a batch is made of its examples
mixtures       batches whose examples are mixed with each other
calls          what shows only in several calls
finished       what a finished gradient shows, also without knowing the network
causes         a mistake, its places, and both formulas
diagnose       from the user's gradient to the causes
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
