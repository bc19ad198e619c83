import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from inkdigits.data import Dataset
from inkdigits.evaluation.refusal import scores_of
from inkdigits.models.views import Views, median, together
from inkdigits.training.inference import to_input


def digits(small: Dataset) -> Tensor:
    return to_input(torch.tensor(small.train.images[:64]))


def test_the_median_is_that_of_scipy() -> None:
    x = torch.rand(3, 1, 9, 11, generator=torch.Generator().manual_seed(0))
    expected = np.stack([ndimage.median_filter(image, 3, mode="nearest") for image in x[:, 0].numpy()])
    assert (median(x)[:, 0].numpy() == expected).all()


def test_light_changes_no_view_and_contrast_little(small: Dataset) -> None:
    images = digits(small)
    dim, light = Views.views(images * 0.5), Views.views(images * 0.5 + 0.4)
    torch.testing.assert_close(light, dim, atol=1e-4, rtol=1e-4)
    assert (dim.sum() / Views.views(images).sum() - 1).abs() < 0.15


def test_a_wide_band_is_background() -> None:
    plain = torch.zeros(1, 1, 28, 28)
    plain[..., 4:24, 8:11] = 1
    banded = plain.clone()
    banded[..., 18:] = 1
    torch.testing.assert_close(Views.views(banded), Views.views(plain))


def test_specks_are_gone_from_the_second_view_and_hollows_from_the_third() -> None:
    speck, hollow = torch.zeros(2, 1, 1, 28, 28)
    speck[..., 5, 5] = 1
    hollow[..., 8:20, 12:16] = 1
    hollow[..., 9:19, 13:15] = 0
    assert Views.views(speck)[0, 1].max() == 0
    assert Views.views(hollow)[0, 2, 9:19, 13:15].min() == Views.views(hollow)[0, 2].max()


def test_probabilities_and_energies_are_averaged() -> None:
    logits = torch.randn(4, 3, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(together(logits).softmax(1), logits.softmax(2).mean(1))
    torch.testing.assert_close(together(logits).logsumexp(1), logits.logsumexp(2).mean(1))


def test_refusal_can_be_measured_of_all_views_together(small: Dataset) -> None:
    torch.manual_seed(0)
    distance = scores_of(Views().eval(), small.train)["distance"]
    assert distance(small.test.images[:7]).shape == (7,)
