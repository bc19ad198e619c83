"""Augmentations: random transforms of a batch of digits that do not change the label."""

import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from inkdigits.data.degrade import DEGRADATIONS, Degrade, clutter
from inkdigits.errors import PluginError
from inkdigits.plugins import PluginRegistry

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
Augment = TypeVar("Augment", bound=Augmentation)

# Largest values of geometric(), about the variation between writers; each is drawn uniformly between -value and value.
ROTATION = 10.0  # degrees
SCALE = 0.1  # relative, drawn for each axis
SHEAR = 0.1  # horizontal shift per unit of height (slant)
SHIFT = 1.5  # pixels, drawn for each axis
ELASTIC_SHIFT = 2.5  # the same, of shift() and elastic()
ELASTIC, CELLS = 1.6, 5  # largest displacement of a pixel, in pixels, and the side of the grid on which it is drawn

ROBUST_ROTATION, ROBUST_SCALE, ROBUST_SHEAR, ROBUST_SHIFT = 25.0, 0.3, 0.35, 3.5  # of the digits that are degraded
CHANCE = 0.25  # probability of each degradation
CHANCE_OF = {clutter: 0.4}  # exceptions: other ink is the most frequent degradation on pages
MILD, UNCHANGED = 0.5, 0.6  # share of digits that robust() does not degrade, and that degraded() does not change


def no_augmentation(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return ``images`` unchanged."""
    return images


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each digit at random and change nothing else: the reference training of the robustness results."""
    return affine(images, generator, 0.0, 0.0, 0.0, ELASTIC_SHIFT)


def geometric(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, scale, shear and shift each digit at random, within the variation between writers.

    Parameters
    ----------
    images
        float32 (B, 1, H, W), black outside.
    generator
        Source of the randomness, on the CPU.
    """
    return affine(images, generator, ROTATION, SCALE, SHEAR, SHIFT)


def elastic(images: Tensor, generator: torch.Generator) -> Tensor:
    """Transform as :func:`geometric` does, shift further, and displace the pixels smoothly.

    Parameters
    ----------
    images
        float32 (B, 1, H, W), black outside.
    generator
        Source of the randomness, on the CPU.
    """
    return elastic_affine(images, generator, ROTATION, SCALE, SHEAR, ELASTIC_SHIFT)


def uniform_sampler(images: Tensor, generator: torch.Generator) -> Callable[..., Tensor]:
    """Return a function that draws uniform numbers in [0, 1) of shape (B, *shape) on the device of a batch."""
    return lambda *shape: torch.rand(len(images), *shape, generator=generator).to(images.device)


def robust(images: Tensor, generator: torch.Generator) -> Tensor:
    """Transform one half of the digits as :func:`geometric` does; transform the other half further and degrade it.

    A degraded digit gets, on average, more than three of the thirteen degradations.

    Parameters
    ----------
    images
        float32 (B, 1, H, W) in [0, 1], black outside.
    generator
        Source of the randomness, on the CPU.
    """
    mild = _draw_mask(images, MILD, generator)
    transformed = _apply_where(images, mild, lambda some: geometric(some, generator))
    return _apply_where(transformed, ~mild, lambda some: _degrade(some, generator)).clamp(0, 1)


def degraded(images: Tensor, generator: torch.Generator) -> Tensor:
    """Leave six of ten digits unchanged; transform and degrade the others as :func:`robust` does.

    This is for copies with soft targets, which are transformed already. A second transform would exceed the variation
    between writers.
    """
    chosen = _draw_mask(images, 1 - UNCHANGED, generator)
    return _apply_where(images, chosen, lambda some: _degrade(some, generator)).clamp(0, 1)


def _degrade(images: Tensor, generator: torch.Generator) -> Tensor:
    """Transform every image, and apply each degradation with its probability."""
    x = elastic_affine(images, generator, ROBUST_ROTATION, ROBUST_SCALE, ROBUST_SHEAR, ROBUST_SHIFT)
    for degrade in DEGRADATIONS:

        def change(some: Tensor, degrade: Degrade = degrade) -> Tensor:
            return degrade(some, uniform_sampler(some, generator))

        x = _apply_where(x, _draw_mask(x, CHANCE_OF.get(degrade, CHANCE), generator), change)
    return x


def _draw_mask(images: Tensor, chance: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(len(images), generator=generator) < chance).to(images.device)


def _apply_where(images: Tensor, chosen: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return images of which those ``chosen``, bool (B,), are changed; the others are not computed."""
    if not chosen.any():
        return images
    out = images.clone()
    out[chosen] = change(images[chosen])
    return out


def affine(
    images: Tensor, generator: torch.Generator, rotation: float, scale: float, shear: float, shift: float
) -> Tensor:
    """Rotate by up to ``rotation`` degrees, scale, shear, and shift by up to ``shift`` pixels; bilinear."""
    theta = _random_affine(images, generator, rotation, scale, shear, shift)
    return _resample(images, F.affine_grid(theta, list(images.shape), align_corners=False))


def elastic_affine(
    images: Tensor, generator: torch.Generator, rotation: float, scale: float, shear: float, shift: float
) -> Tensor:
    """Transform as :func:`affine` does, and displace the pixels by a smooth random field.

    This is the elastic distortion of P. Simard et al., ICDAR 2003. Both share one interpolation of the pixels, since
    each interpolation blurs a digit.
    """
    theta = _random_affine(images, generator, rotation, scale, shear, shift)
    batch, _, height, width = images.shape
    draw = uniform_sampler(images, generator)
    field = (2 * draw(2, CELLS, CELLS) - 1) * ELASTIC * draw(1, 1, 1)
    field = F.interpolate(field, (height, width), mode="bicubic", align_corners=True)  # (B, 2, H, W), pixels
    step = torch.tensor([2 / width, 2 / height], device=images.device)  # a pixel, in grid units
    offset = (field.permute(0, 2, 3, 1) * step).view(batch, -1, 2) @ theta[:, :, :2].mT
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return _resample(images, grid + offset.view(grid.shape))


def _random_affine(
    images: Tensor, generator: torch.Generator, rotation: float, scale: float, shear: float, shift: float
) -> Tensor:
    """Return a random matrix for each image, float32 (B, 2, 3), from output to input coordinates."""
    batch, _, height, width = images.shape
    draw = torch.rand(6, batch, generator=generator).mul_(2).sub_(1)  # (6, B) in [-1, 1]
    angle = draw[0] * math.radians(rotation)
    scale_x, scale_y = 1 + draw[1] * scale, 1 + draw[2] * scale
    slant = draw[3] * shear
    shift_x, shift_y = (
        draw[4] * (2 * shift / width),
        draw[5] * (2 * shift / height),
    )  # in grid units: 2 is the side
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos / scale_x, (slant * cos - sin) / scale_x, shift_x], dim=1)  # (B, 3)
    row_y = torch.stack([sin / scale_y, (slant * sin + cos) / scale_y, shift_y], dim=1)  # (B, 3)
    return torch.stack([row_x, row_y], dim=1).to(images.device)  # (B, 2, 3)


def _resample(images: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


AUGMENTATIONS: PluginRegistry[Augmentation] = PluginRegistry("augmentation")


@overload
def register_augmentation(name: str, function: None = None) -> Callable[[Augment], Augment]: ...


@overload
def register_augmentation(name: str, function: Augment) -> Augment: ...


def register_augmentation(name: str, function: Any = None) -> Any:
    """Register an augmentation under ``name``, as a decorator or as a function.

    Parameters
    ----------
    name
        The value of ``--augment`` and of a recipe's ``augment``.
    function
        (images, generator) -> images: float32 (B, 1, 28, 28) in [0, 1] on any device, black outside; a new tensor of
        the same shape. All random numbers come from the generator, which is on the CPU, so that a seed gives the same
        weights. Without ``function``, a decorator is returned.

    Raises
    ------
    UsageError
        When the name is taken.

    Examples
    --------
    >>> import torch, inkdigits
    >>> @inkdigits.register_augmentation("fade")
    ... def fade(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    ...     strength = 0.5 + 0.5 * torch.rand(len(images), 1, 1, 1, generator=generator)
    ...     return images * strength.to(images.device)
    >>> from inkdigits.data.augment import augmentation
    >>> augmentation("fade")(torch.ones(2, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 28, 28])
    """
    return AUGMENTATIONS.decorator(name, function, lambda function: function)


for _name, _function in {
    "none": no_augmentation,
    "shift": shift,
    "geometric": geometric,
    "elastic": elastic,
    "robust": robust,
    "degraded": degraded,
}.items():
    register_augmentation(_name, _function)


def augmentation(name: str) -> Augmentation:
    """Return the augmentation of that name.

    Raises
    ------
    UsageError
        When there is none of that name.
    PluginError
        When it comes from a plug-in and does not return images of the same shape and type.
    """
    function = AUGMENTATIONS.find(name)
    if AUGMENTATIONS.origin(name):
        _require_images(function, f"the augmentation {name!r} of the plug-in {AUGMENTATIONS.origin(name)}")
    return function


def _require_images(function: Augmentation, title: str) -> None:
    images = torch.zeros(2, 1, 28, 28)
    try:
        found: Any = function(images.clone(), torch.Generator().manual_seed(0))
    except Exception as error:
        raise PluginError(f"{title} fails on images (2, 1, 28, 28): {type(error).__name__}: {error}") from error
    if not isinstance(found, Tensor) or (found.dtype, found.shape) != (images.dtype, images.shape):
        raise PluginError(f"{title} does not return float32 images of the same shape as it takes, (2, 1, 28, 28)")
