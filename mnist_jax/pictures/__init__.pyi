from .files import PictureError as PictureError
from .files import read as read
from .files import require_size as require_size
from .network_image import network_image as network_image
from .network_image import thumbnail as thumbnail
