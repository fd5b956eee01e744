"""How the handwritten gradient and autodiff differ, everything else equal.

__main__         the command `python -m experiments.compare`
gradient_error   the error of both float32 gradients against a float64 one, along a training
trajectories     how far the parameters of two trainings are from each other
matrix           each activation, loss and precision, on a small network
cost             step time, compile time, memory and instructions
report           the report and its figures
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
