"""Lines of writing: which pieces of ink belong to one, and which to none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.pieces import Piece, find_pieces
from inkdigits.imaging.text_lines import TextLine, TextLineParameters, find_text_lines, writing_height


def drawn(lines: dict[tuple[int, int], str], shape: tuple[int, int] = (600, 900)) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    for (x, y), text in lines.items():
        for index, character in enumerate(text):
            cv2.putText(mask, character, (x + 70 * index, y), cv2.FONT_HERSHEY_SIMPLEX, 2.5, 255, 7)
    return mask


def pieces_of(mask: NDArray[np.uint8]) -> list[Piece]:
    return find_pieces(mask, most=3000, smallest=4)


def boxes(mask: NDArray[np.uint8]) -> list[int]:
    ink = (mask / 255).astype(np.float32)
    return [len(line.pieces) for line in find_text_lines(pieces_of(mask), ink)]


def test_lines_come_from_the_top_and_hold_their_digits() -> None:
    mask = drawn({(50, 100): "31415", (80, 260): "926", (40, 420): "5358979"})
    ink = (mask / 255).astype(np.float32)
    lines = find_text_lines(pieces_of(mask), ink)
    assert [line.box[1] for line in lines] == sorted(line.box[1] for line in lines)
    assert [len(line.pieces) for line in lines] == [5, 3, 7]
    for line in lines:
        assert line.height == pytest.approx(51, abs=2)
        left = [piece.box[0] for piece in line.pieces]
        assert left == sorted(left)


def test_a_line_that_climbs_by_twelve_degrees_is_one_line() -> None:
    mask = drawn({(50, 300): "1234567", (50, 500): "7654321"})
    turn = cv2.getRotationMatrix2D((450, 300), 12, 0.8)
    mask = cv2.warpAffine(mask, turn, (900, 600))
    ink = (mask / 255).astype(np.float32)
    lines = find_text_lines(pieces_of(mask), ink)
    assert len(lines) == 2


def test_specks_far_away_and_a_faint_line_are_left_out() -> None:
    mask = drawn({(50, 100): "31415", (50, 300): "92653"})
    ink = (mask / 255).astype(np.float32)
    ink[200:] *= 0.2
    mask[500:502, 300:302] = 255
    assert len(find_text_lines(pieces_of(mask), ink)) == 1


def test_the_writings_height_is_that_of_its_digits_not_of_its_dust() -> None:
    pieces = [Piece((0, 0, 30, 50), np.full((50, 30), 255, np.uint8))] * 3
    dust = [Piece((0, 0, 2, 2), np.full((2, 2), 255, np.uint8))] * 300
    assert writing_height([*pieces, *dust]) == 50
    assert writing_height([Piece((0, 0, 90, 10), np.full((10, 90), 255, np.uint8))]) == 45  # digits that touch


def with_ink(mask: NDArray[np.uint8], x: int, y: int, wide: int, tall: int) -> NDArray[np.uint8]:
    """The mask with one more piece."""
    out = mask.copy()
    out[y : y + tall, x : x + wide] = 255
    return out


def line_with(x: int, y: int, wide: int, tall: int) -> list[int]:
    """The number of pieces of each line, with one more piece; the digits are 51 pixels high, in columns 50 to 375."""
    return boxes(with_ink(drawn({(50, 200): "31415"}), x, y, wide, tall))


@pytest.mark.parametrize(
    ("piece", "pieces"),
    [
        ((395, 145, 30, 10), 6),  # the bar of the last digit
        ((395, 165, 7, 7), 6),
        ((395, 165, 5, 5), 5),  # a speck
        ((405, 145, 30, 10), 6),
        ((480, 145, 30, 10), 5),  # too far to the right
        ((395, 110, 30, 10), 5),  # and too high
        ((395, 235, 30, 10), 5),
    ],
)
def test_a_low_piece_belongs_to_the_digits_that_it_is_near(piece: tuple[int, int, int, int], pieces: int) -> None:
    assert line_with(*piece) == [pieces]


@pytest.mark.parametrize(
    "piece",
    [
        (0, 150, 20, 35),  # the edge of the paper beside the line
        (0, 0, 20, 300),  # a dark rim
        (250, 590, 640, 10),
        (300, 300, 400, 60),  # the shadow of a fold
        (60, 212, 330, 4),  # what is left of a rule
    ],
)
def test_ink_that_is_no_writing_changes_no_line(piece: tuple[int, int, int, int]) -> None:
    assert line_with(*piece) == [5]


def test_a_large_drawing_at_the_edge_is_no_writing() -> None:
    mask = drawn({(50, 200): "31415"})
    cv2.rectangle(mask, (0, 300), (300, 500), 255, 10)
    assert boxes(mask) == [5]


def test_a_rule_alone_is_no_line() -> None:
    assert boxes(with_ink(np.zeros((600, 900), np.uint8), 100, 300, 500, 4)) == []


def test_one_digit_is_a_line() -> None:
    assert boxes(drawn({(50, 200): "3"})) == [1]


def test_a_low_piece_may_belong_to_any_line() -> None:
    mask = drawn({(50, 100): "31", (400, 300): "926"})
    assert boxes(with_ink(mask, 605, 245, 30, 10)) == [2, 4]


ALONE = TextLineParameters(merge_step=(0.0, 0.0, 0.0))  # chains of neighbours are not joined


def chained(mask: NDArray[np.uint8], parameters: TextLineParameters = ALONE) -> list[int]:
    """The number of pieces of each line."""
    return [len(line.pieces) for line in find_text_lines(pieces_of(mask), (mask / 255).astype(np.float32), parameters)]


def test_the_gap_is_measured_from_the_right_edge() -> None:
    mask = drawn({(50, 400): "31415"})
    cv2.rectangle(mask, (50, 150), (250, 200), 255, 5)  # digits that touch
    near = replace(ALONE, gap=1.5)
    assert chained(with_ink(mask, 310, 150, 20, 51), near) == [2, 5]
    assert chained(with_ink(mask, 340, 150, 20, 51), near) == [1, 1, 5]


def test_digits_of_another_line_hide_no_neighbour() -> None:
    """The middle of the long piece is further to the right than digits below it that are too far away."""
    mask = with_ink(drawn({(50, 420): "31415", (50, 540): "92653"}), 50, 100, 20, 51)
    cv2.rectangle(mask, (150, 100), (500, 150), 255, 5)
    assert chained(mask) == [2, 5, 5]


@pytest.mark.parametrize("angle", [12, -12])
def test_neighbours_follow_the_slope_of_the_lines(angle: int) -> None:
    mask = drawn({(50, 300): "1234567", (50, 500): "7654321"})
    mask = cv2.warpAffine(mask, cv2.getRotationMatrix2D((450, 300), angle, 0.8), (900, 600))
    assert chained(mask, replace(ALONE, step=0.4)) == [7, 7]


def test_on_a_small_picture_a_digit_may_touch_the_edge() -> None:
    small = np.zeros((60, 200), np.uint8)
    for x in (0, 40, 80):
        small[5:55, x : x + 6] = 255
    assert boxes(small) == [3]


@pytest.mark.parametrize(("lower", "lines"), [(0, [4]), (22, [4]), (70, [2, 2])])
def test_digits_of_one_line_stand_at_one_level(lower: int, lines: list[int]) -> None:
    assert boxes(drawn({(50, 100): "31", (190, 100 + lower): "41"})) == lines


@pytest.mark.parametrize(("darkness", "pieces"), [(0.45, 4), (0.6, 5)])
def test_a_piece_that_is_much_fainter_than_its_line_is_left_out(darkness: float, pieces: int) -> None:
    mask = drawn({(50, 200): "31415"})
    ink = (mask / 255).astype(np.float32)
    ink[:, 190:250] *= darkness
    (line,) = find_text_lines(pieces_of(mask), ink)
    assert len(line.pieces) == pieces


def test_an_empty_page_has_no_lines() -> None:
    assert boxes(np.zeros((50, 50), np.uint8)) == []


def test_the_edge_of_a_sheet_around_the_writing_is_left_out() -> None:
    mask = drawn({(150, 200): "31415", (150, 350): "92653"})
    bare = boxes(mask)
    assert len(bare) == 2
    edge = mask.copy()
    cv2.polylines(edge, [np.array([[60, 560], [70, 40], [840, 60], [830, 540]])], True, 255, 5)
    assert boxes(edge) == bare


def test_tall_ones_below_faint_small_print_are_no_rules() -> None:
    mask = drawn({(50, 300): "20202", (50, 500): "202"})
    for x in (300, 360, 420):
        cv2.line(mask, (x, 440), (x - 8, 505), 255, 5)
    ink = (mask / 255).astype(np.float32)
    for x in range(40, 860, 20):
        for y in (20, 50):
            cv2.rectangle(mask, (x, y), (x + 12, y + 16), 255, -1)
            ink[y : y + 17, x : x + 13] = 0.2
    lines = find_text_lines(pieces_of(mask), ink)
    assert len(lines) == 2
    assert lines[1].box[0] + lines[1].box[2] > 415


def test_digits_further_apart_than_the_gap_are_two_lines() -> None:
    mask = drawn({(50, 100): "314", (400, 100): "926"})
    ink = (mask / 255).astype(np.float32)
    assert len(find_text_lines(pieces_of(mask), ink)) == 1
    narrow = TextLineParameters(gap=1.5, merge_step=(0.0, 0.0, 0.0))
    assert len(find_text_lines(pieces_of(mask), ink, narrow)) == 2


def test_digits_that_touch_are_one_piece_of_their_line() -> None:
    mask = drawn({(50, 100): "31415"})
    cv2.line(mask, (80, 75), (150, 75), 255, 7)
    (line,) = find_text_lines(pieces_of(mask), (mask / 255).astype(np.float32))
    assert [piece.box[2] > 70 for piece in line.pieces] == [True, False, False, False]


def test_the_box_of_a_line_holds_all_its_pieces() -> None:
    line = TextLine(
        (Piece((5, 9, 10, 20), np.zeros((20, 10), np.uint8)), Piece((30, 4, 8, 12), np.zeros((12, 8), np.uint8))), 20.0
    )
    assert line.box == (5, 4, 33, 25)
