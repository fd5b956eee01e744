"""Formulas as text, the values of their names, and the search for the user's formula.

checked_network  the network and the loss whose gradient is checked
scene            the values of the units on single examples, and the names that formulas use
tables           the wrong formulas that are tried for each part of a line
expressions      evaluates formulas, and finds the formula that gives the user's numbers
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
