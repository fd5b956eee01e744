"""Training with the handwritten gradient, compared with training by autodiff.

__main__         the command `python -m experiments.compare`
gradient_error   the errors of both float32 gradients, measured against float64 during training
trajectories     how fast the parameters of two trainings diverge
matrix           both gradients with each activation and loss, on a small network
report           the report and its figures
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
