"""The plumbing of every command.

options     flags out of a frozen dataclass, and back
flag_files  the flags in a file, one a line
errors      the error in three parts
signals     Ctrl-C and SIGTERM
paths       what stands at a path, in words
command     from the command line to the exit status
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
