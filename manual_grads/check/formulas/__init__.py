"""Formulas as text, and what they are made of.

problem      the loss of a network that a gradient is checked against
scene        the values of the network on single examples, and the names that formulas use
tables       the formulas that can stand in each place of a line
expressions  the values of formulas, and the search for one that gives the observed numbers
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
