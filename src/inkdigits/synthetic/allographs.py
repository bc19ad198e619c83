"""Ways to write each character as strokes of a pen, several ways (allographs) for most characters.

A way is a text: the usual width over the height, how often it is chosen relative to the other ways, and after the
colon the strokes, separated by semicolons. A stroke is a row of points ``x,y``: percent of the character's width to
the right and of its height downwards; some strokes leave this box. The pen moves along a smooth curve through the
points, except at a point with ``!``, which is a corner. ``@x,y,a,b,s,e`` is an arc of an ellipse with middle (x, y)
and radii a and b, from the angle s to e in degrees, 0 to the right, 90 down.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (K, 2): x, y; shares of width and height
SAMPLES = 6  # points drawn between two control points
ARC = 10  # control points of an arc

ALLOGRAPHS: dict[str, tuple[str, ...]] = {
    "0": (
        "0.62 3: @50,50,50,50,-80,285",
        "0.7 2: @50,50,50,50,-40,-395",
        "0.75 1: @50,50,50,50,-110,200",  # open at the top left
        "0.85 1: @50,50,50,50,-60,-350",  # open at the top right
        "0.7 1: @50,50,50,50,-60,-400 90,8 125,2",  # leads on to the right
        "0.7 0.5: 10,10 40,5 @50,50,50,50,-90,270",
        "0.66 0.3: @50,50,50,50,-80,285; 0,105 100,-5",  # slashed
        "0.6 0.7: 20,0 15,60 40,100 85,75 80,25 45,5 20,30",  # like a 6 that is closed at the top
        "0.6 0.5: 0,20 30,5 15,55 40,100 85,60 70,10 25,15",  # leads in from the left
    ),
    "1": (
        "0.12 2.5: 50,0 50,100",
        "0.35 2.5: 5,32 60,0! 55,100",
        "0.5 1.5: 0,60 70,0! 65,100",  # with a long flag
        "0.5 0.5: 0,85 80,0! 70,100",
        "0.5 1: 10,30 60,0! 55,100; 10,100 100,99",  # with a foot
        "0.4 1: 0,25 35,20 70,0! 60,100",
        "0.3 0.5: 20,20 50,0 60,30 50,85 80,100",
        "0.5 0.7: 0,75 45,25 65,0! 60,100",
        "0.5 0.5: 0,10 20,25 70,0! 55,100",
        "0.6 1: 0,100 60,0! 65,100",  # with a flag from the baseline
        "0.6 0.8: 0,95 35,20 60,0 75,25 72,100",  # the same, round at the top, like an n
        "0.45 0.7: 0,70 35,30 60,0! 25,100",  # slanted back on its flag
    ),
    "2": (
        "0.6 2: 10,25 45,0 85,25 50,65 0,100! 95,100",
        "0.65 2: 10,25 45,0 85,25 45,75 10,100 2,85 30,82 60,98 100,90",  # with a loop
        "0.6 1: 5,10 90,5! 5,100! 95,97",
        "0.65 1: 5,35 40,0 80,20 40,70 0,95 30,85 65,100 110,80",
        "0.6 1: 15,20 50,0 85,30 10,98! 60,95 130,105",
        "0.6 1: 20,30 15,5 60,0 80,30 10,95 10,75 50,95 110,95",
        "0.65 0.7: 45,32 20,35 10,15 50,0 85,25 45,70 5,100 30,90 60,100 105,90",  # with a loop above too
        "0.6 0.7: 0,40 20,5 70,0 85,30 40,75 0,98! 110,98",
        "0.65 0.6: 10,10 85,5 75,45 10,95! 40,88 100,100",  # like a Z
    ),
    "3": (
        "0.55 2: 10,15 50,0 85,20 40,45! 90,70 50,100 5,85",
        "0.55 1.5: 10,2 85,2! 40,42! 90,65 55,100 5,90",  # with a flat top
        "0.55 1: 10,15 50,0 85,20 50,48 35,42 50,45 90,70 50,100 0,80",
        "0.5 1: 10,10 60,0 70,25 40,40 75,60 60,95 0,110",
        "0.55 0.7: 10,5 90,2 45,40! 80,50 85,85 35,105 -10,90",  # like a Z with a tail
        "0.55 0.6: 0,15 45,0 75,20 45,42! 95,60 70,100 10,95",
    ),
    "4": (
        "0.6 2: 15,0 5,60! 98,60; 75,25 70,100",
        "0.65 1.5: 65,0 0,65! 100,65; 65,0 65,100",  # closed
        "0.6 1.5: 40,0 5,60! 100,52; 75,25 45,105",
        "0.55 1: 10,0 10,45 50,58 88,5! 82,100",  # one stroke
        "0.75 1.5: 25,0 0,62! 110,55; 90,0 60,100",
        "0.62 1: 70,100 72,0! 0,62! 105,62",
        "0.5 0.6: 50,0 10,55! 90,50! 55,110",  # like a lightning
        "0.5 0.7: 25,0 5,70! 45,45 80,50 70,100",  # like an h
        "0.7 1: 0,5 10,55 90,45; 95,0 75,100",
        "0.6 0.7: 10,5 5,50 40,60 75,15 85,0 80,40 60,100",  # like a y
        "0.55 0.8: 20,0 8,60! 35,42 65,45 72,65 68,100",  # like an h, its arch low
        "0.6 0.8: 10,5 0,55 25,62 60,48 80,40! 70,65 60,105",  # like an h that leans
        "0.65 0.7: 12,0 5,50 30,58 65,50; 85,10 70,50 60,105",
        "0.6 0.6: 55,0 25,30 0,62 40,58 105,50; 65,25 60,105",
    ),
    "5": (
        "0.6 2: 25,3 20,42! 55,35 85,62 50,97 5,90; 25,3 90,0",
        "0.55 2: 85,5 30,8 20,42 60,45 85,70 50,100 5,92",  # one stroke
        "0.6 1.5: 25,3 20,42! 55,35 85,62 50,97 5,90; 20,3 70,0 125,-6",  # with a long bar
        "0.55 1: 25,3 20,42! 55,35 85,62 50,97 5,90; 40,-5 100,-12",  # the bar apart from the body
        "0.5 1.5: 40,2 20,40 65,50 60,90 0,105; 40,2 110,-2",
        "0.55 1: 95,0 30,0! 20,45! 80,50 70,95 0,95",
        "0.5 1: 90,8 45,2 25,30 60,60 50,95 0,90",
        "0.5 1: 45,5 30,45! 75,55 60,95 10,100; 45,2 150,-10",  # with a very long bar
        "0.5 0.7: 60,0 35,35 45,60 40,90 0,105; 60,0 140,-3",  # like a J
        "0.5 0.8: 40,0 30,40! 55,48 55,80 30,100 0,92; 40,0 130,-8",
        "0.5 0.7: 35,5 40,60 30,95 0,100; 35,3 120,-4",  # like an r
        "0.5 0.6: 20,0 15,45 60,40 75,70 45,100 -10,100; 20,0 60,4 110,-6",
        "0.55 0.6: 100,2 60,0 40,6 25,45! 65,50 70,85 30,102 0,85",
    ),
    "6": (
        "0.55 2: 75,2 30,30 10,70 45,100 85,75 50,50 12,72",
        "0.5 1.5: 50,0 15,60 20,95 70,95 80,65 40,60 15,80",
        "0.6 1: 95,10 60,0 15,40 10,80 50,100 85,75 50,52 10,75",
        "0.5 1: 60,0 10,60 35,100 80,85 70,60 35,70",  # open
        "0.45 0.7: 70,-5 25,40 10,85 40,102 75,80 50,65 20,85",  # with a small loop
        "0.5 0.5: 40,0 5,70 45,100 75,75 45,58 10,85",
    ),
    "7": (
        "0.55 1.5: 5,5 90,3! 40,100",
        "0.55 1: 3,20 6,3! 90,3! 40,100",
        "0.55 2: 5,5 90,3! 40,100; 20,50 95,46",  # with a bar
        "0.6 1: 0,18 25,2 60,12 95,2! 50,50 35,100",
        "0.6 1: 0,18 25,2 60,12 95,2! 40,100; 15,55 100,48",
        "0.5 1.5: 10,12 75,3! 50,100; 5,50 110,45",
        "0.5 1: 5,10 80,2 70,40 50,100; 30,45 95,42",
        "0.55 0.3: 10,5 90,2! 50,100; 20,100 90,98",  # with a foot
        "0.6 1: 10,22 25,3 60,3 55,50 45,100; -5,48 110,44",  # like a t with a hook
        "0.6 0.8: 30,14 62,0! 52,100; -5,47 110,40",
        "0.65 0.7: 0,20 15,3 55,10 85,0! 45,60 40,105; 10,62 90,50",
        "0.5 0.6: 0,10 15,0 70,5 85,3! 60,40 50,100",
        "0.6 0.5: 5,25 5,5! 95,2 60,45 45,100; 15,52 60,45 100,50",
    ),
    "8": (
        "0.55 2: 75,15 45,0 20,20 50,48 85,75 50,100 12,78 45,50 80,22 70,8",
        "0.58 1.5: @50,24,33,24,80,430; @50,74,42,26,-95,260",  # two circles
        "0.6 1: 90,5 40,2 15,22 80,70 50,100 12,75 60,45 98,0",  # open at the top
        "0.55 1: 50,45 15,20 50,0 85,20 15,75 50,100 85,75 40,40",
        "0.55 1: 10,5 70,60 80,85 50,100 15,80 75,30 60,2 10,10",
        "0.6 1: 90,15 50,0 15,20 75,65 45,100 12,75 95,10",
        "0.5 0.6: 75,20 50,2 25,20 55,45 75,70 45,100 20,75 40,52 85,35",
        "0.6 0.5: 85,0 45,5 25,25 60,50 75,80 40,100 15,80 50,52 105,20",
        "0.5 0.4: @50,20,25,20,60,400; 50,40 85,75 50,100 15,78 45,45",
    ),
    "9": (
        "0.52 2: 80,20 45,0 10,25 40,50 80,20! 72,100",
        "0.52 1.5: 80,20 45,0 10,25 40,50 80,20 82,75 50,100 8,90",  # with a hook
        "0.55 1.5: 75,15 40,0 10,30 40,50 80,15! 40,100",
        "0.55 1: 85,5 40,0 10,30 50,45 88,5! 75,100",  # open
        "0.5 1: 40,48 90,30 60,0 10,15 30,50 35,100",  # like a P
        "0.5 1: 75,20 40,0 10,25 50,45 80,20 75,80 30,115 0,95",
        "0.5 0.4: 30,45 5,15 50,0 85,25 40,50! 70,60 40,100",
        "0.5 1: 50,50 15,28 50,0 85,25 50,50! 42,100",  # a circle with a stem below
        "0.55 0.7: 25,100 22,8! 65,0 88,25 22,50",  # like a P, from below
        "0.5 0.7: 78,15 40,0 12,25 45,48 78,20! 85,70 60,110 15,105 45,85 100,70",  # like a g, its tail a loop
        "0.5 0.7: 75,10 35,5 15,35 50,50 78,15! 60,60 20,110",
        "0.55 0.5: 90,5 55,0 15,15 30,45 70,35 85,10 70,60 60,105",
    ),
    ".": ("0.1 1: 50,90 52,100", "0.12 1: 30,95 70,100"),
    ",": ("0.15 1: 60,85 30,120", "0.15 1: 40,90 65,95 20,125"),
    "-": ("0.45 1: 0,50 100,48", "0.6 1: 0,55 40,45 100,55"),
    "/": ("0.4 1: 100,-5 0,105", "0.3 1: 80,-20 20,120"),
    "=": ("0.55 1: 0,40 100,37; 0,65 100,63",),
    "~": ("0.8 1: 0,60 25,40 60,65 100,40",),
    "_": ("1.2 1: 0,85 100,80", "1.5 1: 0,50 0,70 100,60"),
    "*": ("0.5 1: 50,20 50,80; 10,35 90,65; 10,65 90,35",),
    "#": ("0.7 1: 35,0 20,100; 80,0 65,100; 0,35 100,32; 0,70 100,66",),
    "$": (
        "0.55 1: 90,20 50,5 15,28 50,50 85,72 50,95 5,80; 50,-12 50,112",
        "0.55 1: 90,20 50,5 15,28 50,50 85,72 50,95 5,80; 40,-10 38,110; 62,-10 60,110",
    ),
    "€": ("0.7 1: @60,50,45,50,-45,-315; 0,40 70,38; 0,60 65,58",),
    "£": ("0.6 1: 90,20 60,0 35,30 40,75 0,100! 95,95; 10,50 75,50",),
    "R": ("0.6 1: 10,100 10,0! 80,15 15,50! 90,100",),
}


class Allograph(NamedTuple):
    """One way to write a character."""

    strokes: tuple[Points, ...]  # control points; one that stands twice is a corner
    aspect: float  # usual width over height
    weight: float  # how often it is chosen, relative to the other ways


@cache
def allographs(character: str) -> tuple[Allograph, ...]:
    """Return the ways to write a character; none for an unknown one."""
    return tuple(_parsed(way) for way in ALLOGRAPHS.get(character, ()))


def _parsed(way: str) -> Allograph:
    facts, strokes = way.split(":")
    aspect, weight = map(float, facts.split())
    return Allograph(tuple(_points(stroke.split()) for stroke in strokes.split(";")), aspect, weight)


def _points(words: list[str]) -> Points:
    rows: list[tuple[float, float]] = []
    for word in words:
        if word.startswith("@"):
            rows += _arc(*map(float, word[1:].split(",")))
        else:
            x, y = map(float, word.rstrip("!").split(","))
            rows += [(x, y)] * (2 if word.endswith("!") else 1)
    return np.array(rows) / 100


def _arc(x: float, y: float, across: float, down: float, start: float, end: float) -> list[tuple[float, float]]:
    angles = np.radians(np.linspace(start, end, ARC))
    return [(x + across * float(np.cos(a)), y + down * float(np.sin(a))) for a in angles]


def draw_curve(points: Points, samples: int = SAMPLES) -> Points:
    """Return a Catmull-Rom curve through control points (K, 2), sampled: (M, 2). Doubled points stay corners."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]  # (K - 1, 2) each
    t = np.linspace(0, 1, samples, endpoint=False)[:, None, None]
    cubic = t * (3 * (start - end) + after - before)
    square = t * (2 * before - 5 * start + 4 * end - after + cubic)
    curve = start + 0.5 * t * (end - before + square)  # (samples, K - 1, 2)
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])
