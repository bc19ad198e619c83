import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.errors import DataError
from inkdigits.evaluation.topology import crossing_numbers, error_by_form, skeletons, topology

SHAPES = {  # drawn with strokes of one pixel: components, holes, ends, junctions
    "#####/#...#/#...#/#...#/#####": (1, 1, 0, 0),
    "#####/#...#/#####/#...#/#####": (1, 2, 0, 2),
    "#####/..#../..#../..#../..#..": (1, 0, 3, 1),
    "..#../..#../#####/..#../..#..": (1, 0, 4, 1),
    "#...#/.#.#./..#../.#.#./#...#": (1, 0, 4, 1),
    "##.../...../...../...../...##": (2, 0, 4, 0),
    "..#../.#.#./#...#/.#.#./..#..": (1, 1, 0, 0),
    "...../...../...../...../.....": (0, 0, 0, 0),
    "#...#/#...#/#...#/#...#/#####": (1, 0, 2, 0),
}


def drawn(text: str) -> np.ndarray:
    return np.array([[255 * (mark == "#") for mark in row] for row in text.split("/")], np.uint8)


@pytest.mark.parametrize(("text", "expected"), SHAPES.items())
def test_counts_are_those_of_shapes_drawn_by_hand(text: str, expected: tuple[int, ...]) -> None:
    assert tuple(topology(drawn(text)[None]).of(0).values()) == expected


def test_paper_does_not_leak_through_a_diagonal_stroke_and_ink_touches_over_a_corner() -> None:
    assert topology(drawn("#./.#")[None]).components.tolist() == [1]
    assert topology(drawn(".#./#.#/.#.")[None]).holes.tolist() == [1]


def test_a_batch_is_its_images_whether_bytes_or_floats(small: Dataset) -> None:
    images = small.test.images[:20]
    together, floats = topology(images), topology(images / np.float32(255))
    for index in range(20):
        assert together.of(index) == topology(images[index : index + 1]).of(0) == floats.of(index)


def test_skeletons_are_thin_and_keep_the_pieces(small: Dataset) -> None:
    images = small.test.images[:50]
    thin, thick = skeletons(images), images > 102
    assert thin.sum() < 0.4 * thick.sum()
    assert (thin <= thick).all()
    lines = topology(thin.astype(np.float32))
    assert (lines.components == topology(images).components).all()
    assert (lines.holes == topology(images).holes).all()


def test_the_crossing_number_counts_branches() -> None:
    plus = drawn("..#../..#../#####/..#../..#..")[None] > 0
    crossings = crossing_numbers(plus)[0]
    assert (crossings[2, 2], crossings[0, 2], crossings[2, 1], crossings[0, 0]) == (4, 1, 2, 0)


def test_zeros_mostly_have_one_hole_and_ones_none(mnist_5k: Dataset) -> None:
    shape = topology(mnist_5k.test.images)
    labels = mnist_5k.test.labels
    assert (shape.holes[labels == 0] == 1).mean() > 0.75
    assert (shape.holes[labels == 1] == 0).mean() > 0.95


def test_errors_are_counted_by_class_and_holes() -> None:
    ring, line = drawn("#####/#...#/#...#/#...#/#####"), drawn("..#../..#../..#../..#../..#..")
    shape = topology(np.stack([ring, ring, line, line]))
    forms = error_by_form(shape, np.array([6, 6, 6, 1]), np.array([False, True, True, False]))
    found = [(form.digit, form.holes, form.classic, form.n, form.errors) for form in forms]
    assert found == [(1, 0, True, 1, 0), (6, 0, False, 1, 1), (6, 1, True, 2, 1)]
    assert forms[2].error_low < forms[2].error == 0.5 < forms[2].error_high


@pytest.mark.parametrize("wrong", [np.zeros((28, 28)), np.zeros((1, 28, 28, 3)), np.zeros((1, 28, 28), int)])
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match="grey images"):
        topology(wrong)
