"""Cells: the rows and columns of the numbers on a page, from where they stand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.geometry import Box

SHARED = 0.5  # of the smaller one's height or width; numbers that share more of it are in one row or column


def rows_and_columns(boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """Return the row and the column of each box of an upright page, from 0.

    Boxes at one height are a row. Boxes below one another are a column, so that a column is empty in a row in which
    nothing stands there. Where two boxes of a row would share a column, the page is no table: the column is then the
    place in the row.
    """
    sides = np.array(boxes, float).reshape(-1, 4)
    columns, rows = (_bands(sides[:, axis], sides[:, axis + 2]) for axis in (0, 1))
    places = list(zip(rows, columns, strict=True))
    if len(set(places)) == len(places):
        return places
    return [
        (row, sum(other == row and at[0] < box[0] for other, at in zip(rows, boxes, strict=True)))
        for row, box in zip(rows, boxes, strict=True)
    ]


def upright_box(box: Box, turned: int, size: tuple[int, int]) -> Box:
    """Return a box of a picture of this width and height as it lies when that is turned by degrees to the left."""
    left, top, wide, tall = box
    width, height = size
    return {
        0: box,
        90: (top, width - left - wide, tall, wide),
        180: (width - left - wide, height - top - tall, wide, tall),
        270: (height - top - tall, left, tall, wide),
    }[turned]


def _bands(starts: NDArray[np.float64], sizes: NDArray[np.float64]) -> list[int]:
    """Return the index of each interval's band: those that share enough, also through others, in order of the means."""
    stops, band = starts + sizes, np.full(len(starts), -1)
    count = 0
    for first in range(len(starts)):
        waiting = [first] if band[first] < 0 else []
        while waiting:
            index = waiting.pop()
            band[index] = count
            shared = np.minimum(stops, stops[index]) - np.maximum(starts, starts[index])
            near = (shared > SHARED * np.minimum(sizes, sizes[index])) & (band < 0)
            band[near] = count
            waiting += np.flatnonzero(near).tolist()
        count = max(count, int(band[first]) + 1)
    means = [float((starts + stops)[band == number].mean()) for number in range(count)]
    order = np.argsort(np.argsort(means, kind="stable"), kind="stable")
    return [int(order[number]) for number in band]
