"""The check of anyone's gradient: which leaf is wrong, where, and why.

__main__    the command `python -m manual_grads.check`
child       the process that runs somebody's code for the command
gradient    somebody's gradient compared with autodiff's
sample      what a network is checked on
diagnosis   the search for the cause
report      table, drawing and JSON
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
