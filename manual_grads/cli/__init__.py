"""Code that every command uses.

options     a frozen dataclass whose fields are flags
rules       what their values must satisfy
flag_files  files that contain flags, one per line
errors      the error message with the parts expected, got and try
signals     the handlers of Ctrl-C and SIGTERM
paths       a description of what is at a path
compilation_cache  a folder of compiled programs, kept from one command to the next
command     a command: parses its flags, runs it and returns the exit status
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
