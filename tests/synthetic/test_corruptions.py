"""Corruptions of digits: their published parameters, their seeds, and what each leaves and takes."""

from typing import Any

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError, PluginError, UsageError
from inkdigits.synthetic.corruptions import CORRUPTIONS, MNIST_C, PAPER, SEVERITIES, corrupt, register_corruption

# the severity that the functions of MNIST-C take by default, where they take one
PUBLISHED = {
    **{"shot_noise": 5, "impulse_noise": 4, "glass_blur": 1, "motion_blur": 1, "shear": 2, "scale": 3, "rotate": 2},
    **{"brightness": 5, "translate": 3, "fog": 5, "spatter": 4},
}


@pytest.fixture(scope="module")
def digits(small: Dataset) -> np.ndarray:
    return small.test.images[:60]


def test_the_fifteen_are_those_of_mnist_c_at_their_published_severity() -> None:
    assert len(MNIST_C) == 15
    assert {name: MNIST_C[name].published for name in PUBLISHED} == PUBLISHED
    assert set(MNIST_C) - set(PUBLISHED) == {"stripe", "dotted_line", "zigzag", "canny_edges"}
    assert len(PAPER) == 13


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_changes_digits_the_same_way_at_every_call_and_more_so_when_severe(
    name: str, digits: np.ndarray
) -> None:
    before = digits.copy()
    change = []
    for severity in SEVERITIES:
        out = corrupt(digits, name, severity, seed=1)
        assert (out.shape, out.dtype) == (digits.shape, np.uint8)
        np.testing.assert_array_equal(out, corrupt(digits, name, severity, seed=1))
        change.append(np.abs(out.astype(int) - digits).mean())
    assert change[0] > 0.1
    if name != "canny_edges":  # more smoothing is not more change
        assert change[4] > change[0]
    np.testing.assert_array_equal(digits, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_blank_full_single_and_no_images_go_through(name: str) -> None:
    odd = np.zeros((3, 28, 28), np.uint8)
    odd[1], odd[2, 14, 14] = 255, 255
    for severity in SEVERITIES:
        assert corrupt(odd, name, severity).shape == odd.shape
        assert corrupt(odd[:1], name, severity).shape == (1, 28, 28)
    assert corrupt(odd[:0], name).shape == (0, 28, 28)


def test_another_seed_gives_another_noise(digits: np.ndarray) -> None:
    for name in ("shot_noise", "glass_blur", "fog", "zigzag", "perspective"):
        assert (corrupt(digits, name, seed=0) != corrupt(digits, name, seed=1)).any()


def test_noise_has_the_share_and_variance_that_it_is_said_to_have() -> None:
    grey = np.full((50, 28, 28), 128, np.uint8)
    salted = corrupt(grey, "impulse_noise", 5)
    assert (salted == 255).mean() == pytest.approx(0.135, abs=0.01)
    assert (salted == 0).mean() == pytest.approx(0.135, abs=0.01)
    counted = corrupt(grey, "shot_noise", 2) / 255
    assert counted.mean() == pytest.approx(128 / 255, abs=0.01)
    assert counted.var() == pytest.approx(128 / 255 / 25, rel=0.1)


def test_distortions_move_points_to_where_they_should_be() -> None:
    dot = np.zeros((40, 28, 28), np.uint8)
    dot[:, 14, 20] = 255  # half a row below the middle, 6.5 columns to its right

    def place(images: np.ndarray) -> np.ndarray:
        mass = images.astype(float)
        row, column = np.mgrid[:28, :28]
        return np.stack([(mass * axis).sum((1, 2)) / mass.sum((1, 2)) - 13.5 for axis in (column, row)], 1)

    shifted = place(corrupt(dot, "translate", 3))
    assert {tuple(point) for point in shifted.round(3).tolist()} == {
        *((3.5, -2.5), (3.5, 3.5), (9.5, -2.5), (9.5, 3.5))
    }
    half = place(corrupt(dot, "scale", 5))
    np.testing.assert_allclose(half, [[3.25, 0.25]] * 40, atol=0.3)
    turned = place(corrupt(dot, "rotate", 5))
    radius, angle = np.hypot(*turned.T), np.arctan2(turned[:, 1], turned[:, 0])
    np.testing.assert_allclose(radius, np.hypot(6.5, 0.5), atol=0.4)
    start = np.arctan2(0.5, 6.5)
    assert {round(float(a - start), 1) for a in angle} == {-1.0, 1.0}


def test_stripes_turn_the_outer_seven_columns_round_and_brightness_adds_a_half(digits: np.ndarray) -> None:
    striped = corrupt(digits, "stripe")
    np.testing.assert_array_equal(striped[:, :, :7], 255 - digits[:, :, :7])
    np.testing.assert_array_equal(striped[:, :, 7:21], digits[:, :, 7:21])
    np.testing.assert_array_equal(striped[:, :, 21:], 255 - digits[:, :, 21:])
    bright = corrupt(digits, "brightness").astype(int)
    np.testing.assert_allclose(bright, np.minimum(digits.astype(int) + 127.5, 255), atol=0.6)


def test_glass_blur_moves_ink_and_keeps_it() -> None:
    line = np.zeros((5, 28, 28), np.uint8)
    line[:, :, 14] = 255
    out = corrupt(line, "glass_blur", 1)
    assert (out[:, :, 17:] == 0).all()  # two rounds of swaps with the pixel before
    assert (out[:, :, 14] < 255).any()
    assert out.sum() == pytest.approx(line.sum(), rel=0.02)


def test_motion_blur_smears_one_way_and_keeps_the_ink() -> None:
    dot = np.zeros((30, 28, 28), np.uint8)
    dot[:, 14, 14] = 255
    out = corrupt(dot, "motion_blur", 1)
    assert (out[:, :, 15:] == 0).all()
    assert (out[:, 14, 14] == 60).all()  # the largest tap of half a Gaussian of three pixels
    assert int(out[0].sum()) == pytest.approx(255, rel=0.03)


def test_lines_are_drawn_across_and_dots_leave_gaps() -> None:
    blank = np.zeros((20, 28, 28), np.uint8)
    dotted = corrupt(blank, "dotted_line").max(1)
    assert (dotted[:, [0, 1, 4, 5, 8, 9, 27]] == 0).all()
    assert (dotted[:, [2, 3, 6, 7, 10, 11]] > 100).all()
    zigzag = corrupt(blank, "zigzag")
    assert np.median(zigzag[:, :, 5:22].max(1)) > 100
    assert (zigzag[:, :, :1] == 0).all()


def test_a_thick_pen_adds_ink_and_a_thin_one_takes_it(digits: np.ndarray) -> None:
    assert corrupt(digits, "thin_pen", 2).sum() < digits.sum() < corrupt(digits, "thick_pen", 1).sum()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((np.zeros((1, 28, 28), np.uint8), "shot_nois"), UsageError, "did you mean 'shot_noise'"),
        ((np.zeros((1, 28, 28), np.uint8), "fog", 6), UsageError, "1 to 5, not 6"),
        ((np.zeros((28, 28), np.uint8), "fog"), DataError, "uint8"),
        ((np.zeros((1, 28, 28)), "fog"), DataError, "not float64"),
    ],
)
def test_a_mistake_is_said(arguments: tuple[object, ...], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        corrupt(*arguments)  # type: ignore[arg-type]


def test_a_registered_corruption_joins_the_others(digits: np.ndarray) -> None:
    @register_corruption("half")
    def half(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
        return images / 2

    try:
        assert list(CORRUPTIONS) == [*MNIST_C, *PAPER, "half"]
        np.testing.assert_allclose(corrupt(digits, "half"), digits / 2, atol=0.51)
        with pytest.raises(UsageError, match="two corruptions are called 'half'"):
            register_corruption("half", half)
    finally:
        CORRUPTIONS.remove("half")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda images, severity, generator: images[:1], r"returns \(1, 28, 28\) for images \(60, 28, 28\)"),
        (lambda images, severity, generator: images[99], "fails: IndexError"),
    ],
)
def test_a_corruption_with_a_fault_is_named(function: Any, says: str, digits: np.ndarray) -> None:
    register_corruption("faulty", function)
    try:
        with pytest.raises(PluginError, match=f"the corruption 'faulty' of the plug-in {__name__} {says}"):
            corrupt(digits, "faulty")
    finally:
        CORRUPTIONS.remove("faulty")
