"""Code that every command uses.

options     dataclasses whose fields are flags
rules       the conditions on the values of flags
flag_files  files that contain flags, one per line
errors      error messages that say what was expected, what was given, and what to try
signals     the signal handlers for Ctrl-C and SIGTERM
paths       functions that describe and open paths
compilation_cache  a folder in which later commands find compiled programs
command     runs a command: parses its flags, prints, and returns its exit status
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
