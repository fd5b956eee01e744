"""What turns the right gradient into the wrong one.

search           the fewest mistakes that explain all leaves
reference        a backward pass into which mistakes can be put, line by line
mistakes         what a mistake is, and those that any line can have
delta_mistakes   those of a line that computes δ
leaf_mistakes    those of a line that computes a weight's or a bias's derivative
instruments      what can be seen without knowing the network
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
