"""A run of several processes, on one machine or several.

parent   a process without jax, which starts the one that trains and explains its end
joined   joining the other processes, and agreeing with them
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
