"""Reading pictures of any format that Pillow reads."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from manual_grads.cli import InputError, paths

SMALLEST = 8
"""The minimum length, in pixels, of a picture's longer side."""


class PictureError(InputError):
    """A picture that cannot be read, or that is too small to show a digit."""


def read(path: str | Path) -> Image.Image:
    """The picture in a file. Raises `PictureError`.

    The picture must be undamaged, in a format that Pillow reads, and not too small. It has at most
    89 million pixels, which is Pillow's limit. Animations and files of several pages are refused.
    """
    path = paths.of_user(path)
    try:
        with paths.open_plain(path, follow_links=True) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file)
            if getattr(image, "is_animated", False) and image.format != "MPO":  # a phone's photo
                raise PictureError(
                    f"{path} must show one picture",
                    f"several in a {image.format} file: an animation or several pages",
                    "one of them, saved as PNG",
                )
            image.load()
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(
            f"{path} must have at most {Image.MAX_IMAGE_PIXELS:,} pixels",
            "a larger picture",
            "a smaller copy, in which the digit is about 100 pixels high",
        ) from None
    except Exception as error:  # Pillow's formats raise many kinds of exception
        found = paths.what_is(path) if isinstance(error, FileNotFoundError) else error
        if isinstance(error, UnidentifiedImageError):
            found = "a file of another format"
        raise PictureError(
            f"{path} must be an undamaged picture in a format that Pillow reads",
            str(found) or type(error).__name__,
            "the picture saved as PNG or JPEG",
        ) from None
    return require_size(image, str(path))


def require_size(image: Image.Image, name: str = "a picture") -> Image.Image:
    """Returns the picture. Raises `PictureError` if it is too small to show a digit."""
    if max(image.size) < SMALLEST:
        raise PictureError(
            f"{name} must be at least {SMALLEST} pixels wide or high",
            f"{image.width}×{image.height} pixels",
            "a larger picture of the digit",
        )
    return image
