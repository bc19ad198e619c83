"""Pictures from files: a list of allowed formats, a limit on pixels that is checked before any is decoded."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from inkdigits.errors import DataError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
MAX_PIXELS = 80_000_000  # an A3 page at 600 dots per inch has 70 million


def read_pixels(path: Path) -> NDArray[Any]:
    """Return a picture, turned as its camera says: grey uint8 or uint16 (H, W), or uint8 (H, W, 4) with transparency.

    Raises
    ------
    DataError
        When it is no picture, a broken one, of a format that is not allowed, or too large; names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            opened = Image.open(path, formats=FORMATS)
        with opened:
            width, height = opened.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{path} has {width}x{height} pixels, more than {MAX_PIXELS // 1_000_000} million; scale it down"
                )
            upright = ImageOps.exif_transpose(opened)
            return np.asarray(upright if upright.mode in ("L", "I;16") else upright.convert("RGBA"))
    except Image.DecompressionBombError:
        raise DataError(f"{path} has more than {MAX_PIXELS // 1_000_000} million pixels; scale it down") from None
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        allowed = ", ".join(FORMATS)
        raise DataError(f"{path} is no picture that can be read here ({allowed}); convert or remove it") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(f"cannot read the image {path} ({error}); repair or remove it") from error


def find_pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are named, and all files below the folders that are named, in order of their names."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path
