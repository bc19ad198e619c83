from typing import Any

import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.data.augment import (
    AUGMENTATIONS,
    SHIFT,
    affine,
    augmentation,
    elastic,
    elastic_affine,
    geometric,
    register_augmentation,
)
from inkdigits.errors import PluginError, UsageError
from inkdigits.training.inference import to_input
from inkdigits.training.recipe import Recipe


def batch(small: Dataset) -> torch.Tensor:
    return to_input(torch.tensor(small.train.images[:64]))


def test_a_geometric_transform_is_seeded_and_differs_between_digits(small: Dataset) -> None:
    images = batch(small)[:1].repeat(8, 1, 1, 1)
    once = geometric(images, torch.Generator().manual_seed(1))
    again = geometric(images, torch.Generator().manual_seed(1))
    assert torch.equal(once, again)
    assert (once[0] - once[1]).abs().max() > 0.1


def test_a_geometric_transform_keeps_the_amount_of_ink(small: Dataset) -> None:
    images = batch(small)
    moved = geometric(images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-6
    assert (moved.sum() / images.sum() - 1).abs() < 0.1
    columns = torch.arange(28.0)
    centres = [(x.sum((1, 2)) @ columns) / x.sum((1, 2, 3)) for x in (images, moved)]
    assert (centres[0] - centres[1]).abs().max() < SHIFT + 3  # the shift, and up to 3 pixels by shear and rotation
    assert (centres[0] - centres[1]).abs().mean() > 0.3


def test_a_shift_keeps_the_shape_of_a_digit(small: Dataset) -> None:
    images = batch(small)
    moved = augmentation("shift")(images, torch.Generator().manual_seed(0))
    offsets = [
        torch.stack([(x.sum(3 - axis) * torch.arange(28.0)).sum((1, 2)) for axis in (0, 1)]) / x.sum((1, 2, 3))
        for x in (images, moved)
    ]
    assert (offsets[0] - offsets[1]).abs().max() < 2.6
    spread = [x.flatten(1).norm(dim=1) for x in (images, moved)]
    assert ((spread[1] / spread[0]).mean() > 0.85) & (
        (spread[1] / spread[0]).max() <= 1.001
    )  # only smoothed by interpolation


def test_elastic_distortion_is_seeded_and_differs_between_digits(small: Dataset) -> None:
    images = batch(small)[:1].repeat(8, 1, 1, 1)
    once, again = (elastic(images, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once, again)
    assert (once[0] - once[1]).abs().max() > 0.1


def test_an_elastic_distortion_blurs_no_more_than_an_affine_transform(small: Dataset) -> None:
    """Both interpolate the pixels once, so the edges stay as steep."""
    images = batch(small).repeat(4, 1, 1, 1)
    steep = {}
    for move in (affine, elastic_affine):
        moved = move(images, torch.Generator().manual_seed(0), 10.0, 0.1, 0.1, 1.5)
        steep[move] = moved.diff(dim=3).square().sum()
    again = affine(affine(images, torch.Generator().manual_seed(0), 10.0, 0.1, 0.1, 1.5), torch.Generator(), 0, 0, 0, 1)
    assert (steep[elastic_affine] / steep[affine] - 1).abs() < 0.02
    assert again.diff(dim=3).square().sum() / steep[affine] < 0.9  # a second interpolation blurs


def test_robust_degrades_half_of_the_digits(small: Dataset) -> None:
    blank = torch.zeros(2000, 1, 28, 28)
    touched = augmentation("robust")(blank, torch.Generator().manual_seed(0)).amax((1, 2, 3)) > 0.02
    assert 0.3 < touched.float().mean() < 0.6


def test_an_unknown_augmentation_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'geometric'"):
        augmentation("geometrics")


def test_a_registered_augmentation_is_a_setting_of_a_recipe() -> None:
    @register_augmentation("negative")
    def negative(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return 1 - images

    try:
        assert augmentation(Recipe(augment="negative").augment) is negative
        with pytest.raises(UsageError, match=f"two augmentations are called 'negative': {__name__}"):
            register_augmentation("negative", negative)
    finally:
        AUGMENTATIONS.remove("negative")
    with pytest.raises(UsageError, match="no augmentation 'negative'"):
        Recipe(augment="negative")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda images, generator: images[:, 0], "does not return float32 images of the same shape"),
        (lambda images, generator: images.double(), "does not return float32 images of the same shape"),
        (lambda images, generator: images.nothing, "fails on images .*AttributeError"),
    ],
)
def test_an_augmentation_with_a_fault_is_named(function: Any, says: str) -> None:
    register_augmentation("faulty", function)
    try:
        with pytest.raises(PluginError, match=f"the augmentation 'faulty' of the plug-in {__name__} {says}"):
            augmentation("faulty")
    finally:
        AUGMENTATIONS.remove("faulty")
