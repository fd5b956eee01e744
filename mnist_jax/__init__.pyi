from . import figures as figures
from . import progress as progress
from .config import Config as Config
from .runs import Model as Model
from .runs import load as load
