"""The digits that are printed at the top of a form to show how to write them, as strokes.

The forms are those that readers confuse least: a 1 without a flag, a 4 that is open at the top, a 7 without a foot, a 9
with a straight stem.
"""

Point = tuple[float, float]  # shares of the box: from the left, from the top

STROKES: dict[str, tuple[tuple[Point, ...], ...]] = {  # a curve goes through the points of a stroke
    "0": (((0.5, 0.0), (0.08, 0.28), (0.08, 0.72), (0.5, 1.0), (0.92, 0.72), (0.92, 0.28), (0.5, 0.0)),),
    "1": (((0.5, 0.0), (0.5, 1.0)),),
    "2": (
        ((0.1, 0.24), (0.28, 0.03), (0.68, 0.02), (0.86, 0.25), (0.62, 0.56), (0.08, 1.0)),
        ((0.08, 1.0), (0.92, 1.0)),
    ),
    "3": (
        ((0.12, 0.12), (0.45, 0.0), (0.82, 0.18), (0.45, 0.46)),
        ((0.45, 0.46), (0.9, 0.7), (0.5, 1.0), (0.08, 0.86)),
    ),
    "4": (((0.2, 0.0), (0.12, 0.62)), ((0.12, 0.62), (0.95, 0.62)), ((0.72, 0.1), (0.72, 1.0))),
    "5": (
        ((0.22, 0.0), (0.16, 0.44)),
        ((0.16, 0.44), (0.55, 0.36), (0.88, 0.66), (0.55, 0.98), (0.08, 0.9)),
        ((0.22, 0.0), (0.85, 0.0)),
    ),
    "6": (((0.72, 0.0), (0.3, 0.32), (0.1, 0.7), (0.46, 1.0), (0.86, 0.76), (0.5, 0.5), (0.13, 0.72)),),
    "7": (((0.08, 0.0), (0.92, 0.0)), ((0.92, 0.0), (0.38, 1.0))),
    "8": (
        (
            (0.5, 0.46),
            (0.16, 0.24),
            (0.5, 0.0),
            (0.84, 0.24),
            (0.5, 0.46),
            (0.1, 0.74),
            (0.5, 1.0),
            (0.9, 0.74),
            (0.5, 0.46),
        ),
    ),
    "9": (((0.86, 0.26), (0.5, 0.0), (0.12, 0.26), (0.48, 0.52), (0.86, 0.26)), ((0.88, 0.04), (0.86, 1.0))),
}


def beziers(points: tuple[Point, ...]) -> list[tuple[Point, Point, Point]]:
    """Return the curve through ``points`` as cubic Bézier segments: two control points and the end of each."""
    padded = (points[0], *points, points[-1])
    segments = []
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        first = (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6)
        second = (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6)
        segments.append((first, second, end))
    return segments
