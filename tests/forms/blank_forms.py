"""A form that exists already, for the tests of templates: its blank, and sheets of it."""

import cv2
import numpy as np

from inkdigits.forms.pages import Box
from tests.forms.sheets import SCALE, Pen, Picture, cross

WIDTH, HEIGHT = 148.0, 105.0  # mm
NUMBER = [Box(50 + 8 * n, 20, 8, 9) for n in range(6)]
CELLS = {(row, column): [Box(50 + 40 * column + 6 * n, 36 + 9 * row, 6, 7.5) for n in range(3)] for row in range(3)
         for column in range(2)}  # fmt: skip
TICKS = [Box(50, 68, 4.5, 4.5), Box(72, 68, 4.5, 4.5)]
WIDE = Box(50, 82, 50, 10)
WRITTEN = {"number": "403716", "cells": ["125", "903", "476", "518", "620", "347"], "wide": "2078"}


def rectangle(page: Picture, box: Box, level: int = 60, thick: int = 2) -> None:
    """Draw the sides of a box."""
    corners = [round(v * SCALE) for v in (box.left, box.top, box.right, box.bottom)]
    cv2.rectangle(page, tuple(corners[:2]), tuple(corners[2:]), level, thick)


def print_text(page: Picture, text: str, left: float, bottom: float, size: float = 0.6) -> None:
    """Print a line of text."""
    cv2.putText(
        page, text, (round(left * SCALE), round(bottom * SCALE)), cv2.FONT_HERSHEY_DUPLEX, size, 30, 1, cv2.LINE_AA
    )


def empty_form(lower: float = 0.0, title: str = "Report of the station") -> Picture:
    """Return a blank; of another version, all below the number stands ``lower`` mm lower."""
    page = np.full((round(HEIGHT * SCALE), round(WIDTH * SCALE)), 250, np.uint8)
    print_text(page, title, 10, 11, 0.9)
    print_text(page, "Station number", 10, 26)
    for box in NUMBER:
        rectangle(page, box)
    for (row, _), boxes in CELLS.items():
        print_text(page, ("morning", "noon", "evening")[row], 10, 42 + 9 * row + lower)
        for box in boxes:
            rectangle(page, moved(box, lower))
    print_text(page, "Weather", 10, 72 + lower)
    for box, text in zip(TICKS, ("dry", "wet"), strict=True):
        rectangle(page, moved(box, lower))
        print_text(page, text, box.right + 2, 72 + lower)
    print_text(page, "Total of the year", 10, 89 + lower)
    rectangle(page, moved(WIDE, lower))
    print_text(page, "Send this sheet to the office before the end of March", 10, 100 + lower, 0.45)
    return page


def moved(box: Box, lower: float) -> Box:
    """Return a box that stands lower."""
    return Box(box.left, box.top + lower, box.width, box.height)


def written(page: Picture, pen: Pen) -> Picture:
    """Return a sheet filled with WRITTEN, and the second option ticked."""
    out = page.copy()
    for box, digit in zip(NUMBER, WRITTEN["number"], strict=True):
        pen.write(out, box, digit)
    for boxes, text in zip(CELLS.values(), WRITTEN["cells"], strict=True):
        for box, digit in zip(boxes, text, strict=True):
            pen.write(out, box, digit)
    for index, digit in enumerate(WRITTEN["wide"]):
        pen.write(out, Box(WIDE.left + 5 + 6 * index, WIDE.top, 6, WIDE.height), digit)
    cross(out, TICKS[1])
    return out


def scanned(page: Picture, degrees: float = 2.5) -> Picture:
    """Return a sheet skewed, in perspective and with a shadow, on a larger white lid."""
    wide = cv2.copyMakeBorder(page, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=250)
    height, width = wide.shape
    turn = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), [0, 0, 1]])
    tilt = np.array([[1, 0.01, 0], [0.005, 1, 0], [2e-5, -1e-5, 1]])
    seen = cv2.warpPerspective(wide, tilt @ turn, (width, height), borderValue=250)
    light = np.linspace(1.0, 0.55, width)[None] * np.linspace(0.9, 1.0, height)[:, None]
    return np.asarray(seen * light, np.uint8)
