"""Which ink on a crop is the digit: neighbours, rules, frames and points are left out, and doubt leaves all ink."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.imaging.crops import CropParameters, Mask, digit_ink
from inkdigits.reader.recognizer import Recognizer

HEIGHT, WIDTH, PEN = 60, 50, 4


def stroke(*points: tuple[int, int], pen: int = PEN) -> Mask:
    """A crop with one line through these points, x and y."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(mask, [np.array(points, np.int32)], False, 255, pen)
    return mask


TWO = stroke((18, 18), (24, 12), (31, 17), (18, 46), (33, 46))
BODY_OF_5 = stroke((18, 14), (18, 27), (31, 34), (27, 46), (16, 46))
BESIDE = {
    "neighbour": stroke((2, 10), (5, 30), (0, 50)),
    "neighbours": stroke((46, 5), (49, 25)) | stroke((0, 20), (3, 25)),
    "upright rule": stroke((44, 0), (44, 59), pen=2),
    "level rule": stroke((0, 55), (49, 55), pen=2),
    "frame": stroke((5, 3), (45, 3), (45, 56), (5, 56), (5, 3), pen=2),
    "point": stroke((40, 46), (41, 47)),
    "dots below": stroke((10, 54), (11, 54)) | stroke((24, 54), (25, 54)),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_what_is_no_part_of_the_digit_is_left_out(kind: str) -> None:
    np.testing.assert_array_equal(digit_ink(TWO | BESIDE[kind]), TWO)


def test_a_rule_through_the_digit_is_taken_out_but_for_where_they_cross() -> None:
    rule = stroke((25, 0), (25, 59), pen=1)
    left = digit_ink(TWO | rule)
    assert not left[:8].any()
    assert not left[-8:].any()
    assert np.count_nonzero(left & TWO) > 0.9 * np.count_nonzero(TWO)


@pytest.mark.parametrize("bar", [stroke((24, 12), (36, 10)), stroke((36, 14), (44, 12))])
def test_the_bar_of_a_5_belongs_to_it(bar: Mask) -> None:
    np.testing.assert_array_equal(digit_ink(BODY_OF_5 | bar), BODY_OF_5 | bar)


@pytest.mark.parametrize(
    "other",
    [
        stroke((44, 14), (44, 46)),  # a thin 1 beside it
        stroke((40, 14), (49, 14), (42, 46), pen=6),  # a whole digit, cut a little by the crop
    ],
)
def test_of_two_digits_none_is_chosen(other: Mask) -> None:
    np.testing.assert_array_equal(digit_ink(TWO | other), TWO | other)


def test_a_tight_crop_is_taken_whole() -> None:
    """A 5 whose body touches two sides and whose bar touches the third."""
    whole = BODY_OF_5 | stroke((24, 12), (40, 12))
    rows, columns = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
    tight = np.ascontiguousarray(whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    np.testing.assert_array_equal(digit_ink(tight), tight)


@pytest.mark.parametrize(
    "points",
    [((3, 3), (46, 3), (20, 56)), ((25, 0), (25, 59)), ((5, 0), (5, 40), (45, 40), (45, 0), (45, 59))],
)
def test_a_stroke_from_side_to_side_is_no_rule_where_nothing_else_is_a_digit(points: tuple[tuple[int, int]]) -> None:
    seven_one_or_four = stroke(*points, pen=3)
    np.testing.assert_array_equal(digit_ink(seven_one_or_four), seven_one_or_four)


def test_a_ring_is_no_frame() -> None:
    """A 0 that holds a stroke keeps it, as its ring has no corners."""
    zero = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(zero, (25, 30), (18, 25), 0, 0, 360, 255, 3)
    slashed = zero | stroke((21, 38), (29, 22), pen=2)
    np.testing.assert_array_equal(digit_ink(slashed), slashed)


@pytest.mark.parametrize("ink", [0, 2])
def test_dust_alone_is_nothing(ink: int) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20, 20 : 20 + ink] = 255
    assert not digit_ink(mask).any()


def test_the_parameters_decide() -> None:
    point = TWO | BESIDE["point"]
    near = replace(CropParameters(), shared=-1.0, point=0.0)
    np.testing.assert_array_equal(digit_ink(point, near), point)


def test_a_digit_in_a_box_or_beside_others_is_read(mnist_5k: Dataset) -> None:
    images, labels = mnist_5k.test.images[::50], mnist_5k.test.labels[::50]
    rng, crops = np.random.default_rng(0), []
    for image, neighbour in zip(images, mnist_5k.test.images[1::50], strict=False):
        paper = np.full((100, 90), 245, np.uint8)
        for left, one in ((-30, neighbour), (16, image), (72, neighbour)):
            large = cv2.resize(one, (56, 56), interpolation=cv2.INTER_CUBIC)
            x0, x1 = max(0, left), min(90, left + 56)
            paper[22:78, x0:x1] = np.minimum(paper[22:78, x0:x1], 245 - large[:, x0 - left : x1 - left] * 0.85)
        if rng.random() < 0.5:
            cv2.rectangle(paper, (6, 8), (84, 92), 60, 2)
        crops.append(paper)
    read = [prediction.digit for prediction in Recognizer().read_crops(crops)]
    assert np.mean(np.array(read) == labels) > 0.85
