"""Which line of a backward pass is wrong, and what it computes instead.

diagnose         from the user's gradient to the causes
search           reads δ off single examples and asks each line in turn
delta_lines      the formulas that can stand in a line that computes δ
leaf_lines       the formulas that can stand in a line that computes a weight or bias derivative
forward_lines    what can be wrong in a line of the forward pass
formulas         a formula is a template whose places are filled
batches          how a batch is made of its examples
calls            what shows only in several calls
whole            what happens to a finished gradient
without_network  what finished leaves show if the network is not known
causes           a mistake, its places, and both formulas
scene            the values of the network on single examples
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
