"""The search for the mistakes that turn the correct gradient into the handwritten one.

search           the search for the fewest mistakes that explain all leaves
reference        a backward pass in which each line can be replaced by a wrong one
mistakes         the classes of mistakes, and the mistakes that any line can have
delta_mistakes   the mistakes in a line that computes δ
leaf_mistakes    the mistakes in a line that computes the derivative of a weight or bias
instruments      the mistakes that can be found without knowing the network
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
