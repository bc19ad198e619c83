"""The boxes of a curled page are found where they lie."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.forms.flattening import flatten, placed_boxes
from inkdigits.forms.pages import Placement
from inkdigits.imaging.binarize import normalize_background
from tests.forms.sheets import SCALE, Picture


def curl(points: NDArray[np.float64], size: tuple[float, float], amount: float) -> NDArray[np.float64]:
    """Where places in millimetres lie on a curled page."""
    x, y = points[..., 0] / size[0], points[..., 1] / size[1]
    bow = np.sin(np.pi * x) * np.sin(np.pi * y)  # the corners stay
    return points + amount * np.stack([0.4 * bow, bow], -1)


@pytest.mark.parametrize("amount", [0.0, 2.0, -3.0])
def test_every_box_is_found_on_a_curled_page(amount: float, filled: Picture, form: Placement) -> None:
    page = form.pages[0]
    size = page.width, page.height
    rows, columns = np.mgrid[: filled.shape[0], : filled.shape[1]] / SCALE
    grid = np.stack([columns, rows], -1)
    back = grid.copy()
    for _ in range(10):  # the inverse of the curl
        back -= curl(back, size, amount) - grid
    curled = cv2.remap(filled, *(back * SCALE).astype(np.float32).transpose(2, 0, 1), cv2.INTER_LINEAR)
    found = flatten(normalize_background(np.asarray(curled, np.uint8)), page, SCALE)
    assert found.found == 1
    for one in placed_boxes(page, found, SCALE):
        if one.field.name == "remark":  # which stands on a line, and is placed by its neighbours
            continue
        corners = np.array(one.box.corners)
        seen = (corners * SCALE @ one.matrix[:, :2].T + one.matrix[:, 2]) / SCALE
        assert np.abs(seen - curl(corners, size, amount)).max() < 0.35  # mm


def test_a_page_without_the_boxes_is_told(form: Placement) -> None:
    paper = np.zeros((round(297 * SCALE), round(210 * SCALE)), np.float32)
    assert flatten(paper, form.pages[0], SCALE).found == 0
