from . import figures as figures
from . import progress as progress
from .config import Config as Config
from .model import ImagesError as ImagesError
from .model import Model as Model
from .pictures import PictureError as PictureError
from .runs import load as load
from .train import fit as fit
