"""What each line of a backward pass computes, given the δ that the user's code has.

readings     what is read off the derivatives of single examples
delta_lines  the formula of a line that computes δ
leaf_lines   the formula of a line that computes a weight or bias derivative
answers      what a line computes, beside what is right
search       reads δ off single examples, and asks each line in turn
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
