"""An experiment: biases are trained with the right gradient, and with wrong gradients.

__main__        the command `python -m experiments.biases`
variants        the ways to train biases
first_task      the first task of the document's author, with a 1-5-1 network
later_network   the later network of the document's author, on handwritten digits
report          the report and its figures
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
