from .dataset import DataError as DataError
from .dataset import Dataset as Dataset
from .dataset import Examples as Examples
from .sources import begin as begin
from .sources import load as load
