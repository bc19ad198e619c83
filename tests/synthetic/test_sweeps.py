import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.synthetic.sweeps import SWEEPS, sweep


@pytest.mark.parametrize("name", SWEEPS)
def test_it_leaves_a_digit_as_it_is_at_its_neutral_amount_and_changes_it_more_and_more(
    name: str, small: Dataset
) -> None:
    images, chosen = small.test.images[:20], SWEEPS[name]
    np.testing.assert_allclose(sweep(images, name, chosen.neutral), images, atol=1)
    distance = [abs(amount - chosen.neutral) for amount in chosen.amounts]
    assert distance == sorted(distance)
    change = [np.abs(sweep(images, name, amount).astype(int) - images).mean() for amount in chosen.amounts]
    assert 0 < change[0] < change[-1]
    np.testing.assert_array_equal(sweep(images, name, chosen.amounts[0]), sweep(images, name, chosen.amounts[0]))
    assert sweep(images[:0], name, chosen.amounts[-1]).shape == (0, 28, 28)


def test_a_shift_is_by_whole_pixels_in_eight_directions() -> None:
    dot = np.zeros((100, 28, 28), np.uint8)
    dot[:, 14, 14] = 255
    places = {tuple(np.argwhere(image)[0].tolist()) for image in sweep(dot, "shift", 3)}
    assert places == {(y, x) for y in (11, 14, 17) for x in (11, 14, 17)} - {(14, 14)}


def test_a_right_angle_is_a_right_angle() -> None:
    bar = np.zeros((2, 28, 28), np.uint8)
    bar[:, 13:15, 4:24] = 255
    turned = sweep(bar, "angle", 90)
    np.testing.assert_allclose(turned, bar.transpose(0, 2, 1), atol=2)


def test_an_unknown_one_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'noise'"):
        sweep(np.zeros((1, 28, 28), np.uint8), "nois", 0.1)
