from .diagnosis import Diagnosis as Diagnosis
from .gradient import check_gradient as check_gradient
from .report import Leaf as Leaf
from .report import Report as Report
from .returned import GradientError as GradientError
from .sample import draw as draw
from .sample import network_loss as network_loss
