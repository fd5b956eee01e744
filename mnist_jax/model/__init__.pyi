from .activations import ACTIVATIONS as ACTIVATIONS
from .loss import LOSSES as LOSSES
from .loss import mean_loss as mean_loss
from .loss import network_inputs as network_inputs
from .network import INITIALIZERS as INITIALIZERS
from .network import Params as Params
from .network import forward as forward
from .network import init as init
