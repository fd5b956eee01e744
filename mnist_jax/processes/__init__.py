"""A run of several processes, on one machine or several.

supervisor  a process without jax that starts the training process and reports how it ended
joined      connecting the processes of a run, and sharing data between them
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
