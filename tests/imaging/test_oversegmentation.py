"""Over-segmentation: touching digits are cut between them, and runs of pieces are candidates."""

import cv2
import numpy as np

from inkdigits.imaging.oversegmentation import SegmentationParameters, cut_piece, find_candidates
from inkdigits.imaging.pieces import find_pieces


def test_two_digits_that_touch_are_cut_between_them_and_one_is_whole_among_the_candidates() -> None:
    mask = np.zeros((120, 200), np.uint8)
    cv2.ellipse(mask, (55, 60), (28, 40), 0, 0, 360, 255, 6)
    cv2.ellipse(mask, (125, 60), (28, 40), 0, 0, 360, 255, 6)
    cv2.line(mask, (75, 88), (105, 88), 255, 5)
    (piece,) = find_pieces(mask, most=10, smallest=4)
    parts = cut_piece(piece, 86)
    assert sum(cv2.countNonZero(part.mask) for part in parts) == cv2.countNonZero(piece.mask)
    edges = [part.box[0] for part in parts if part.cut_cost]
    assert any(82 <= edge <= 98 for edge in edges)


def test_ink_narrower_than_the_cut_width_stays_whole() -> None:
    mask = np.zeros((120, 200), np.uint8)
    cv2.ellipse(mask, (55, 60), (28, 40), 0, 0, 360, 255, 6)
    (piece,) = find_pieces(mask, most=10, smallest=4)
    assert cut_piece(piece, 86, SegmentationParameters(cut_width=2.0)) == [piece]
    assert len(cut_piece(piece, 86, SegmentationParameters(cut_width=0.3))) > 1


def test_a_run_of_pieces_is_no_longer_and_no_wider_than_asked() -> None:
    mask = np.zeros((100, 400), np.uint8)
    for x in (20, 60, 100, 140):
        cv2.rectangle(mask, (x, 20), (x + 20, 80), 255, -1)
    pieces = sorted(find_pieces(mask, most=10, smallest=4), key=lambda piece: piece.box[0])
    ink = (mask / 255).astype(np.float32)
    runs = find_candidates(pieces, 60, ink)
    assert {run.stop - run.start for run in runs} == {1, 2}  # three are wider than 1.5 heights
    alone = find_candidates(pieces, 60, ink, SegmentationParameters(most_pieces=1))
    assert [(run.start, run.stop) for run in alone] == [(0, 1), (1, 2), (2, 3), (3, 4)]
