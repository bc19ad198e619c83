"""Images from files: allowed formats, several pages, and a limit on pixels that is checked before decoding."""

import io
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from inkdigits.errors import DataError
from inkdigits.files import require_regular

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
PAGE_SUFFIXES = IMAGE_SUFFIXES | {".pdf"}
PDF = b"%PDF-"  # with which a PDF begins
MAX_PIXELS = 80_000_000  # an A3 page at 600 dpi has 70 million
MAX_PAGES = 1000  # of one file
ORIENTATION = 0x0112  # the EXIF tag that a camera sets
ANISOTROPIC = (1.1, 4.0)  # ratio of two resolutions that a scanner has; beyond it the file is wrong
PDF_LONGEST = 2400  # pixels of the longer side of a PDF's page

_pdfium = threading.Lock()  # PDFium is not thread-safe


@dataclass(frozen=True)
class PageImage:
    """One page of a file.

    Attributes
    ----------
    pixels
        Grey uint8 or uint16 (H, W), uint8 (H, W, 3), or (H, W, 4) with transparency; perhaps smaller than the page,
        or larger in one direction, where the file's resolutions differ.
    size
        Width and height of the upright page in the file, pixels.
    """

    pixels: NDArray[Any]
    size: tuple[int, int]


def read_pixels(source: Path | bytes) -> NDArray[Any]:
    """Return the pixels of an image, upright as its EXIF tag says: see :class:`PageImage`. Of several pages, the first.

    Raises
    ------
    DataError
        When the file is no image, broken, a PDF, of another format, or too large; names the file.
    """
    name = str(source) if isinstance(source, Path) else "the image"
    with _explained(name):
        if _start(source) == PDF:
            raise DataError(f"{name} is a PDF, which holds pages and not one digit; read it as a page")
    return next(page_images(source)).pixels


def page_images(source: Path | bytes, name: str = "", longest: int | None = None) -> Iterator[PageImage]:
    """Yield the pages of an image or a PDF; of an animation, the first frame.

    Parameters
    ----------
    source
        A file, or the content of one.
    name
        Name for error messages; the path of a file by default.
    longest
        Pixels that the longer side needs; a JPEG is decoded at a fraction of its size if that is enough.

    Raises
    ------
    DataError
        See :func:`read_pixels`; also for a PDF that needs a password, and a file with more than 1,000 pages.
    """
    name = name or (str(source) if isinstance(source, Path) else "the image")
    with _explained(name), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is stricter
        if _start(source) == PDF:
            yield from _pdf(source, name)
            return
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as opened:
            count = _tiff_pages(opened) if opened.format == "TIFF" else 1
            _limit(count, name)
            for index in range(count):
                if index:
                    opened.seek(index)
                yield _page_image(opened, name, longest)


def _page_image(opened: Image.Image, name: str, longest: int | None) -> PageImage:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{name} has {width}x{height} pixels, more than {MAX_PIXELS // 1_000_000} million; scale it down"
        )
    if longest and max(width, height) > longest and opened.format == "JPEG":
        scale = longest / max(width, height)
        opened.draft(None, (round(width * scale), round(height * scale)))
    opened.load()
    orientation = opened.getexif().get(ORIENTATION, 1)  # Pillow turns a TIFF as it loads it
    image: Image.Image = opened
    if image.mode not in ("L", "I;16", "RGB", "RGBA"):
        image = image.convert("RGBA" if "A" in image.mode or "transparency" in opened.info else "RGB")
    factor = max(image.size) // longest if longest else 1
    if factor > 1 and image.mode != "I;16":
        image = image.reduce(factor)  # before it is copied
    if orientation != 1:
        image.getexif()[ORIENTATION] = orientation
        image = ImageOps.exif_transpose(image)
    on_its_side = (image.width > image.height) != (width > height)
    image = _with_square_pixels(image, opened.info.get("dpi"), on_its_side)
    return PageImage(np.asarray(image), (height, width) if on_its_side else (width, height))


def _with_square_pixels(image: Image.Image, dpi: Any, on_its_side: bool) -> Image.Image:
    """Return an image whose file has other resolutions across than down, as a fax has, with square pixels."""
    try:
        across, down = (float(value) for value in dpi)
        ratio = (across / down) ** (-1 if on_its_side else 1)
    except (TypeError, ValueError, ZeroDivisionError):
        return image
    if not ANISOTROPIC[0] <= max(ratio, 1 / ratio) <= ANISOTROPIC[1]:
        return image
    size = (image.width, round(image.height * ratio)) if ratio > 1 else (round(image.width / ratio), image.height)
    return image if size[0] * size[1] > MAX_PIXELS else image.resize(size, Image.Resampling.BILINEAR)


def _tiff_pages(opened: Image.Image) -> int:
    """Return the number of pages of a TIFF, or ``MAX_PAGES + 1``: a file of some megabytes can have a million."""
    for count in range(1, MAX_PAGES + 1):
        try:
            opened.seek(count)
        except EOFError:
            opened.seek(0)
            return count
    return MAX_PAGES + 1


def _pdf(source: Path | bytes, name: str) -> Iterator[PageImage]:
    import pypdfium2

    with _pdfium:
        try:
            document = pypdfium2.PdfDocument(source)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise DataError(f"{name} is a PDF with a password; save it without one") from None
            raise DataError(f"{name} is a broken PDF; repair or remove it") from None
        count = len(document)
    try:
        _limit(count, name)
        for index in range(count):
            with _pdfium:
                try:
                    page = document[index]
                    width, height = page.get_size()
                    scale = min(PDF_LONGEST / max(width, height, 1.0), 6.0)
                    pixels = page.render(scale=scale, rev_byteorder=True).to_numpy()[..., :3].copy()
                    page.close()
                except pypdfium2.PdfiumError as error:
                    raise DataError(f"page {index + 1} of {name} is broken ({error}); repair or remove it") from None
            yield PageImage(pixels, (pixels.shape[1], pixels.shape[0]))
    finally:
        with _pdfium:
            document.close()


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[: len(PDF)]
    require_regular(source)
    with source.open("rb") as file:
        return file.read(len(PDF))


def _limit(count: int, name: str) -> None:
    if count > MAX_PAGES:
        raise DataError(f"{name} has more than {MAX_PAGES:,} pages; split it")


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn errors of the content of a file into one line that names the file."""
    try:
        yield
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels; scale it down") from None
    except FileNotFoundError:
        raise DataError(f"{name} does not exist") from None
    except UnidentifiedImageError:
        allowed = ", ".join((*FORMATS, "PDF"))
        raise DataError(f"{name} is no image that can be read here ({allowed}); convert or remove it") from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, OverflowError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {name} ({reason}); repair or remove it") from error


def find_pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the named files, and all files in the named folders, sorted by name."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path
