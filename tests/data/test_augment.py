import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.data.augment import SHIFT, augmentation, geometric
from inkdigits.errors import UsageError
from inkdigits.training.measure import to_input


def batch(small: Dataset) -> torch.Tensor:
    return to_input(torch.tensor(small.train.images[:64]))


def test_geometric_distortion_is_seeded_and_differs_between_digits(small: Dataset) -> None:
    images = batch(small)[:1].repeat(8, 1, 1, 1)
    once = geometric(images, torch.Generator().manual_seed(1))
    again = geometric(images, torch.Generator().manual_seed(1))
    assert torch.equal(once, again)
    assert (once[0] - once[1]).abs().max() > 0.1


def test_geometric_distortion_keeps_the_ink_about_as_it_was(small: Dataset) -> None:
    images = batch(small)
    moved = geometric(images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-6
    assert (moved.sum() / images.sum() - 1).abs() < 0.1
    columns = torch.arange(28.0)
    centres = [(x.sum((1, 2)) @ columns) / x.sum((1, 2, 3)) for x in (images, moved)]
    assert (centres[0] - centres[1]).abs().max() < SHIFT + 3  # shift, and what slant and turning add
    assert (centres[0] - centres[1]).abs().mean() > 0.3


def test_an_unknown_augmentation_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'geometric'"):
        augmentation("geometrics")
