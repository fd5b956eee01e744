from .gradient import Injected as Injected
from .gradient import handwritten as handwritten
