"""How a scanner and a phone see a sheet."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inkdigits.synthetic.filled_forms import Picture
from inkdigits.synthetic.form_scans import Photographing, Scanning, photograph, scan

DPI = 60.0
STILL = Scanning(turn=0, shift=0, upside_down=0, black_lid=0)


def sheet() -> Picture:
    """White, with a black square at the top left and a ring of grey around the rim."""
    page = np.full((702, 496, 3), 255, np.uint8)
    page[40:120, 40:120] = 0
    return page


def square(image: Picture) -> tuple[float, float, float]:
    """Middle of the square as a share of the picture, and its side in pixels."""
    grey = image if image.ndim == 2 else image.min(2)
    rows, columns = np.nonzero(grey < 0.5 * np.median(grey))
    height, width = grey.shape
    return float(columns.mean() / width), float(rows.mean() / height), float(np.sqrt(len(rows)))


@pytest.mark.parametrize("seed", range(4))
def test_a_still_scan_leaves_the_sheet_in_place(seed: int) -> None:
    x, y, side = square(scan(sheet(), DPI, np.random.default_rng(seed), STILL))
    assert (x, y) == pytest.approx((80 / 496, 80 / 702), abs=0.01)
    assert side == pytest.approx(80, abs=3)


def test_a_sheet_upside_down_has_its_top_at_the_bottom() -> None:
    x, y, _ = square(scan(sheet(), DPI, np.random.default_rng(0), replace(STILL, upside_down=1)))
    assert (x, y) == pytest.approx((1 - 80 / 496, 1 - 80 / 702), abs=0.01)


def test_a_print_at_90_percent_is_smaller() -> None:
    assert square(scan(sheet(), DPI, np.random.default_rng(0), replace(STILL, scale=0.9)))[2] == pytest.approx(
        72, abs=3
    )


def test_a_scan_is_grey_or_coloured() -> None:
    assert scan(sheet(), DPI, np.random.default_rng(0), replace(STILL, grey=1)).ndim == 2
    assert scan(sheet(), DPI, np.random.default_rng(0), replace(STILL, grey=0)).shape == sheet().shape


def test_the_black_lid_is_seen_beside_a_shifted_sheet() -> None:
    rng = np.random.default_rng(3)
    seen = scan(np.full((702, 496, 3), 255, np.uint8), DPI, rng, replace(STILL, shift=8, black_lid=1, grey=1))
    rim = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]])
    assert rim.min() < 100 < seen[351, 248]


@pytest.mark.parametrize("seed", range(4))
def test_a_photo_shows_the_whole_sheet_on_a_darker_desk(seed: int) -> None:
    flat = Photographing(shadow=0, quarter=0, upside_down=0)
    page = np.full((702, 496, 3), 255, np.uint8)
    photo = photograph(page, DPI, np.random.default_rng(seed), flat)
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    _, paper = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    outline = max(cv2.findContours(paper, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0], key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(outline)
    assert min(left, top, grey.shape[1] - left - width, grey.shape[0] - top - height) > 3
    assert 0.5 < cv2.contourArea(outline) / paper.size < 0.95


def test_a_shadow_darkens_a_part_of_a_photo() -> None:
    page = np.full((702, 496, 3), 255, np.uint8)
    spreads = []
    for shadow in (0.0, 0.7):
        photo = photograph(page, DPI, np.random.default_rng(5), Photographing(shadow=shadow, quarter=0, upside_down=0))
        inner = photo[200:500, 200:350].astype(float)
        spreads.append(np.ptp(cv2.GaussianBlur(inner, (0, 0), 9)))
    assert spreads[1] > spreads[0] + 20


def test_a_curled_sheet_has_bent_lines() -> None:
    page = np.full((702, 496, 3), 255, np.uint8)
    page[300:304] = 0
    bends = []
    for curl in (0.0, 12.0):
        flat = Photographing(tilt=0, turn=0, shadow=0, quarter=0, upside_down=0, curl=curl)
        photo = photograph(page, DPI, np.random.default_rng(1), flat)
        columns = photo[250:450, 60:-60].min(2).argmin(0).astype(float)
        straight = np.polyval(np.polyfit(np.arange(len(columns)), columns, 1), np.arange(len(columns)))
        bends.append(np.abs(columns - straight).max())
    assert bends[0] < 2
    assert bends[1] > 4
