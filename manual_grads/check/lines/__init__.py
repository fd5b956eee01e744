"""Finds the formula that each line of the user's backward pass computes, given the user's own δ.

observed_deltas  the user's δ and rows of activations, from derivatives of single examples
delta_lines      the formula of a line that computes δ
leaf_lines       the formula of a line that computes a weight or bias derivative
answers          the user's formula of a wrong line, the right one, and the mistake's name
search           computes the user's δ from single examples, and explains each line in turn
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
