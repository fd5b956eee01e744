from .network_image import network_image as network_image
