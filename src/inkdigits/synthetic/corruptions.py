"""Named corruptions of digits at five severities. They measure robustness; nothing is trained on them.

``MNIST_C`` has the fifteen of N. Mu, J. Gilmer, "MNIST-C: a robustness benchmark for computer vision", 2019,
arXiv:1906.02337, with the parameters of their code. Each has the severity that they publish; where their code has one
severity only, the other four are our own. ``PAPER`` has thirteen effects of pens, paper and cameras, all our own.

Every function takes float32 images (N, H, W) in [0, 1], ink bright on black, a severity of 1 to 5 and a generator. It
returns images of the same shape, not yet clipped.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.errors import DataError, PluginError, UsageError
from inkdigits.plugins import PluginRegistry
from inkdigits.synthetic import mnist_c
from inkdigits.synthetic.mnist_c import smooth
from inkdigits.synthetic.sweeps import Images, on_bytes, pen

Corrupt = Callable[[Images, int, np.random.Generator], Images]
Function = TypeVar("Function", bound=Corrupt)

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """A corruption: its function, and the severity at which MNIST-C publishes it (3 for those that are not theirs)."""

    name: str
    apply: Corrupt
    published: int = 3


def shadow(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add a shadow that grows from one side of the image to the other, up to 0.15 to 0.75 of full ink."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]] / (x.shape[1] - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi, (len(x), 1, 1))
    ramp = 0.5 + (np.cos(angle) * column + np.sin(angle) * row) / math.sqrt(2)
    return np.asarray(np.maximum(x, 0.15 * severity * ramp), np.float32)


def ruled_lines(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw horizontal lines of 0.2 to 1 of full ink, 6 to 12 pixels apart."""
    return np.maximum(x, _ruling(x, severity, rng, axis=1))


def squared_paper(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw lines of 0.2 to 1 of full ink, 6 to 12 pixels apart, in both directions."""
    return np.maximum(x, np.maximum(_ruling(x, severity, rng, axis=1), _ruling(x, severity, rng, axis=2)))


def _ruling(x: Images, severity: int, rng: np.random.Generator, axis: int) -> Images:
    place = np.arange(x.shape[axis]).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
    apart = rng.integers(6, 13, (len(x), 1, 1))
    lines = (place + rng.integers(0, 12, (len(x), 1, 1))) % apart == 0
    return np.broadcast_to((lines * 0.2 * severity).astype(np.float32), x.shape)


def paper_texture(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Add the grain of paper: coarse and fine noise, multiplied by 0.04 to 0.2."""
    coarse = smooth(rng.normal(size=x.shape).astype(np.float32), 1.5) * 5
    grain = coarse + rng.normal(size=x.shape).astype(np.float32)
    return np.asarray(x + 0.04 * severity * np.abs(grain), np.float32)


def low_contrast(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Lower the contrast to 0.6, 0.45, 0.3, 0.2 or 0.12, on paper of a random grey."""
    left = (0.6, 0.45, 0.3, 0.2, 0.12)[severity - 1]
    return x * np.float32(left) + rng.uniform(0, 1 - left, (len(x), 1, 1)).astype(np.float32)


def uneven_ink(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Weaken the ink in places, at the weakest place to 0.8, 0.6, 0.4, 0.2 or 0 of its strength."""
    field = smooth(rng.normal(size=x.shape).astype(np.float32), 2.5)
    field = (field - field.min((1, 2), keepdims=True)) / np.ptp(field, (1, 2), keepdims=True).clip(1e-6)
    return np.asarray(x * (1 - 0.2 * severity * field), np.float32)


def thin_pen(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Make the strokes thinner by 0.25 to 1.25 pixels on each side."""
    return pen(x, -0.25 * severity, rng)


def thick_pen(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Make the strokes thicker by 0.4 to 2 pixels on each side."""
    return pen(x, 0.4 * severity, rng)


def defocus(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Blur by a disc with a radius of 0.7 to 3.5 pixels."""
    radius = 0.7 * severity
    far = math.ceil(radius)
    row, column = np.mgrid[-far : far + 1 : 0.2, -far : far + 1 : 0.2]
    fine = (row**2 + column**2 <= radius**2).astype(np.float32)
    kernel = cv2.resize(fine, (2 * far + 1, 2 * far + 1), interpolation=cv2.INTER_AREA)
    kernel /= kernel.sum()
    return np.array([cv2.filter2D(image, -1, kernel) for image in x], np.float32).reshape(x.shape)


def jpeg(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Compress as JPEG with the quality 30, 18, 12, 7 or 4."""
    quality = (30, 18, 12, 7, 4)[severity - 1]
    out = np.empty_like(x)
    for index, image in enumerate((x.clip(0, 1) * 255).astype(np.uint8)):
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out[index] = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32) / 255
    return out


def perspective(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Move the corners of the image by up to 1.5 to 7.5 pixels."""
    height, width = x.shape[1:]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    moved = corners + rng.uniform(-1.5, 1.5, (len(x), 4, 2)).astype(np.float32) * severity
    return np.array(
        [
            cv2.warpPerspective(image, cv2.getPerspectiveTransform(to, corners), (width, height))
            for image, to in zip(x, moved, strict=True)
        ],
        np.float32,
    ).reshape(x.shape)


def salt_stains(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Draw the rims of 1 to 5 round stains, and weaken the ink inside them to 0.75."""
    row, column = np.mgrid[: x.shape[1], : x.shape[2]].astype(np.float32)
    for _ in range(severity):
        y, x0 = rng.uniform(0, x.shape[1], (2, len(x), 1, 1)).astype(np.float32)
        radius = rng.uniform(3, 8, (len(x), 1, 1)).astype(np.float32)
        distance = np.hypot(row - y, column - x0)
        rim = np.exp(-((distance - radius) ** 2) / 0.8)
        x = np.maximum(x * np.where(distance < radius, np.float32(0.75), np.float32(1)), np.float32(0.5) * rim)
    return x


def clipped_edges(x: Images, severity: int, rng: np.random.Generator) -> Images:
    """Erase the outer 1 to 5 rows or columns of ink at one random side of the digit."""
    out = x.copy()
    for image, side in zip(out, rng.integers(0, 4, len(x)), strict=True):
        inked = np.flatnonzero((image > 0.1).any(1 if side < 2 else 0))
        if len(inked):
            cut = inked[:severity] if side % 2 == 0 else inked[-severity:]
            image[(cut, slice(None)) if side < 2 else (slice(None), cut)] = 0
    return out


MNIST_C = {
    corruption.name: corruption
    for corruption in (
        Corruption("shot_noise", mnist_c.shot_noise, 5),
        Corruption("impulse_noise", mnist_c.impulse_noise, 4),
        Corruption("glass_blur", mnist_c.glass_blur, 1),
        Corruption("motion_blur", mnist_c.motion_blur, 1),
        Corruption("shear", mnist_c.shear, 2),
        Corruption("scale", mnist_c.scale, 3),
        Corruption("rotate", mnist_c.rotate, 2),
        Corruption("brightness", mnist_c.brightness, 5),
        Corruption("translate", mnist_c.translate, 3),
        Corruption("stripe", mnist_c.stripe, 3),
        Corruption("fog", mnist_c.fog, 5),
        Corruption("spatter", mnist_c.spatter, 4),
        Corruption("dotted_line", mnist_c.dotted_line, 1),
        Corruption("zigzag", mnist_c.zigzag, 1),
        Corruption("canny_edges", mnist_c.canny_edges, 3),
    )
}
PAPER = {
    function.__name__: Corruption(function.__name__, function)
    for function in (
        *(shadow, ruled_lines, squared_paper, paper_texture, low_contrast, uneven_ink, thin_pen, thick_pen),
        *(defocus, jpeg, perspective, salt_stains, clipped_edges),
    )
}
CORRUPTIONS: PluginRegistry[Corruption] = PluginRegistry("corruption")


@overload
def register_corruption(name: str, function: None = None) -> Callable[[Function], Function]: ...


@overload
def register_corruption(name: str, function: Function) -> Function: ...


def register_corruption(name: str, function: Any = None) -> Any:
    """Register a corruption under ``name``, as a decorator or as a function; ``inkdigits robust`` measures it.

    Parameters
    ----------
    name
        The name in tables and figures.
    function
        (images, severity, generator) -> images: float32 (N, H, W) in [0, 1], ink bright on black; a new array of the
        same shape, which is clipped to [0, 1] afterwards. The severity is 1 to 5. Without ``function``, a decorator is
        returned.

    Raises
    ------
    UsageError
        When the name is taken.

    Examples
    --------
    >>> import numpy as np, inkdigits
    >>> @inkdigits.register_corruption("fading")
    ... def fading(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    ...     return images * np.float32(1 - severity / 6)
    >>> from inkdigits.synthetic.corruptions import corrupt
    >>> int(corrupt(np.full((1, 28, 28), 255, np.uint8), "fading", severity=3).max())
    128
    """
    return CORRUPTIONS.decorator(name, function, lambda function: Corruption(name, function))


for _corruption in [*MNIST_C.values(), *PAPER.values()]:
    CORRUPTIONS.register(_corruption.name, _corruption, _corruption.apply, __name__)


def corrupt(images: NDArray[np.uint8], name: str, severity: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    """Return corrupted digits. The same arguments give the same images.

    Parameters
    ----------
    images
        uint8 (N, H, W), ink bright on black.
    name
        One of :data:`CORRUPTIONS`.
    severity
        1 to 5; by default the published one, or 3.

    Raises
    ------
    UsageError
        When there is no such corruption or severity.
    DataError
        When the images have another shape or type.
    PluginError
        When the corruption comes from a plug-in and does not return images of the same shape.
    """
    corruption = CORRUPTIONS.find(name)
    chosen = corruption.published if severity is None else severity
    if chosen not in SEVERITIES:
        raise UsageError(f"a severity is 1 to 5, not {severity}")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(f"digits are uint8 (N, H, W), not {images.dtype} {images.shape}")
    if not len(images):
        return images.copy()
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), chosen])
    apply = _checked(corruption) if CORRUPTIONS.origin(name) else corruption.apply
    return on_bytes(images, lambda x: apply(x, chosen, rng))


def _checked(corruption: Corruption) -> Corrupt:
    """Return the function of a plug-in's corruption, whose faults raise PluginError."""
    title = f"the corruption {corruption.name!r} of the plug-in {CORRUPTIONS.origin(corruption.name)}"

    def apply(images: Images, severity: int, rng: np.random.Generator) -> Images:
        try:
            out = np.asarray(corruption.apply(images, severity, rng), np.float32)
        except Exception as error:
            raise PluginError(f"{title} fails: {type(error).__name__}: {error}") from error
        if out.shape != images.shape:
            raise PluginError(f"{title} returns {out.shape} for images {images.shape}")
        return out

    return apply
