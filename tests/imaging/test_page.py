"""From a picture to an upright page, and from its pixels back to those of the picture."""

import cv2
import numpy as np
import pytest

from inkdigits.imaging.geometry import map_box
from inkdigits.imaging.page import PageParameters, open_pages


def picture(angle: float = 0.0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Ruled paper with one blot, turned; and the middle of the blot."""
    page = np.full((600, 800), 235, np.uint8)
    for y in range(40, 600, 50):
        cv2.line(page, (0, y), (800, y), 150, 2)
    page[300:340, 500:540] = 20
    turn = cv2.getRotationMatrix2D((400, 300), -angle, scale)
    turned = cv2.warpAffine(page, turn, (800, 600), borderValue=235)
    return turned, turn @ np.array([520, 320, 1.0])


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("angle", [0.0, 7.0])
def test_a_box_on_the_page_is_given_in_the_pictures_pixels(quarters: int, angle: float) -> None:
    image, middle = picture(angle)
    page = next(open_pages(image)).turned(quarters)
    dark = page.ink > 0.7
    ys, xs = np.nonzero(cv2.erode(dark.astype(np.uint8), np.ones((9, 9), np.uint8)))
    box = map_box((int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1), page.to_picture, page.size)
    found = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    assert np.abs(found - middle).max() < 5


def test_a_large_picture_is_worked_on_smaller_and_its_boxes_are_full_size() -> None:
    image = cv2.resize(picture()[0], None, fx=5, fy=5)
    page = next(open_pages(image))
    assert max(page.ink.shape) <= PageParameters().longest_side
    assert map_box((0, 0, page.ink.shape[1], page.ink.shape[0]), page.to_picture, page.size) == (0, 0, 4000, 3000)
