"""Random distortions of a batch of digits: how writing varies between people, without a change of the label."""

import math
from collections.abc import Callable
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from inkdigits.errors import unknown

Augmentation = Callable[[Tensor, torch.Generator], Tensor]

ROTATION = 10.0  # degrees, either way
SCALE = 0.1  # relative, either way, drawn for each axis
SHEAR = 0.1  # horizontal shift per unit of height: slant, either way
SHIFT = 1.5  # pixels, either way, drawn for each axis


def no_augmentation(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return ``images`` as they are."""
    return images


def geometric(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, scale, slant and shift each digit at random, bilinearly.

    Parameters
    ----------
    images
        float32 (B, 1, H, W), black outside.
    generator
        Source of the randomness, on the CPU.
    """
    batch, _, height, width = images.shape
    draw = torch.rand(6, batch, generator=generator).mul_(2).sub_(1)  # (6, B) in [-1, 1]
    angle = draw[0] * math.radians(ROTATION)
    scale_x, scale_y = 1 + draw[1] * SCALE, 1 + draw[2] * SCALE
    shear = draw[3] * SHEAR
    shift_x, shift_y = (
        draw[4] * (2 * SHIFT / width),
        draw[5] * (2 * SHIFT / height),
    )  # in grid units: 2 is the side
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos / scale_x, (shear * cos - sin) / scale_x, shift_x], dim=1)  # (B, 3)
    row_y = torch.stack([sin / scale_y, (shear * sin + cos) / scale_y, shift_y], dim=1)  # (B, 3)
    theta = torch.stack([row_x, row_y], dim=1).to(images.device)  # (B, 2, 3)
    grid = F.affine_grid(theta, [batch, 1, height, width], align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


AUGMENTATIONS = MappingProxyType({"none": no_augmentation, "geometric": geometric})


def augmentation(name: str) -> Augmentation:
    """Return the augmentation of that name.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]
