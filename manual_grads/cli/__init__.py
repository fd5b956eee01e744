"""Code that every command uses.

options     dataclasses whose fields are flags
rules       the conditions on the values of flags
flag_files  files that contain flags, one per line
errors      error messages with three parts: expected, got and try
signals     the handlers of Ctrl-C and SIGTERM
paths       describing and opening paths
compilation_cache  a folder in which later commands find compiled programs
command     running a command: its flags, its output and its exit status
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
