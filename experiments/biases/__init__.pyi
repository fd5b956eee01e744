from . import report as report
from .variants import VARIANTS as VARIANTS
