from . import accuracy as accuracy
