"""From the ink of a page to its lines of writing, and in every line the pictures that may be one digit each.

A line is over-segmented: connected ink is cut along seams of least ink, and every run of neighbouring pieces is a
candidate. Which runs are digits is for the recogniser to say (R. G. Casey, E. Lecolinet, "A survey of methods and
strategies in character segmentation", PAMI 1996).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.imaging.binarize import Ink, Mask, stroke_width, strongest_ink
from inkdigits.imaging.normalize import SIZE, framed
from inkdigits.imaging.rulings import Box

MOST = 3000  # pieces of ink on a page that are looked at
LEAST = 4  # pixels of ink that are no dust
CORE = 0.45  # of the writing's height that a digit has at least; what is smaller belongs to one, or is a speck
SPECK = 0.012  # of the square of the writing's height that ink covers at least, to count
GAP = 3.5  # heights of the writing between neighbours on a line, at most
STEP = 0.55  # heights of the writing by which the next digit on a line may sit higher or lower
WIDEST = 1.5  # heights that a single digit is wide, at most
RUN = 20  # pieces that make up a digit, at most
SURROUND = 0.35  # of the page's width and of its height that the edge of a sheet spans at least
SEEN = 0.02  # of the page's height that a digit has at least where such an edge is around it
SURROUNDED = 3  # digits that it is around, at least
FAINT_PIECE = 0.4  # of the page's usual ink that a piece has at least
WEAK = 0.5  # of the line's ink that a piece of it has at least
ENOUGH = 64  # pixels of height to make pictures from
APART = 0.05  # heights between seams, at least
MOST_INK = 4.0  # strokes that a seam may cut
ALONG = 0.1  # of a stroke that it counts to cut one stroke's width of ink; the rest is for crossing one at all
SLANTS = (0.01, 0.15)  # of a stroke that it counts to step aside by a pixel: for ways that wind, and straight ones
SLIVER = 1.0  # of the square of a stroke's width that ink covers at least, between two seams
CUT_WIDTH = 0.62  # heights from which on ink may be two digits that touch, and is cut


@dataclass(frozen=True)
class Piece:
    """Connected ink, or a part that was cut off.

    Attributes
    ----------
    box
        Left, top, width, height on the page, pixels.
    mask
        uint8 (height, width), 255 where its ink is.
    joined
        How much ink, in widths of the stroke, ties it to the piece before it; 0 where nothing does.
    """

    box: Box
    mask: Mask
    joined: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A run of neighbouring pieces that may be one digit.

    Attributes
    ----------
    start, stop
        The run within the line's pieces.
    box
        Left, top, width, height on the page, pixels.
    picture
        uint8 (28, 28) in the form of MNIST.
    cut
        Ink that was cut at its left edge, in widths of the stroke.
    gap
        Paper between its pieces from left to right, pixels.
    """

    start: int
    stop: int
    box: Box
    picture: NDArray[np.uint8]
    cut: float
    gap: float


@dataclass(frozen=True)
class TextLine:
    """One line of writing: its pieces from left to right, and the height of its digits in pixels."""

    pieces: tuple[Piece, ...]
    height: float

    @property
    def box(self) -> Box:
        """Left, top, width and height of all its ink, pixels."""
        return around([piece.box for piece in self.pieces])


def around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all ``boxes``."""
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return left, top, right - left, bottom - top


def components(mask: Mask) -> list[Piece]:
    """Return the connected ink of a page, the largest MOST pieces of it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:MOST]
    pieces = []
    for index in order.tolist():
        left, top, wide, tall, area = stats[index].tolist()
        if area >= LEAST:
            patch = (labels[top : top + tall, left : left + wide] == index).astype(np.uint8) * 255
            pieces.append(Piece((left, top, wide, tall), patch))
    return pieces


def writing_height(pieces: Sequence[Piece]) -> float:
    """Return the height of the writing: the median of the heights of its ink, every pixel of ink one vote."""
    heights = np.array([max(piece.box[3], 0.5 * piece.box[2]) for piece in pieces], float)
    votes = np.array([cv2.countNonZero(piece.mask) for piece in pieces], float)
    order = heights.argsort()
    half = np.searchsorted(votes[order].cumsum(), votes.sum() / 2)
    return float(heights[order][half])


def find_lines(pieces: Sequence[Piece], ink: Ink) -> list[TextLine]:
    """Return the lines of writing on a page, from the top; what is much fainter than its line is left out."""
    pieces = _without_surrounds([piece for piece in pieces if not _blot(piece, ink.shape)], ink.shape)
    if not pieces:
        return []
    height = writing_height(pieces)
    writing = [piece for piece in pieces if not _ruling(piece, height)]
    least = FAINT_PIECE * _strength(writing, ink) if writing else 0.0
    pieces = [piece for piece in pieces if _darkness(piece, ink) >= least]
    writing = [piece for piece in writing if _darkness(piece, ink) >= least]
    height = writing_height(writing) if writing else height  # that of fainter print may be another
    pieces = [piece for piece in pieces if not _ruling(piece, height)]
    cores = [p for p in pieces if CORE * height <= p.box[3] <= 2.6 * height and p.box[2] <= 12 * height]
    if not cores:
        return []
    cores.sort(key=lambda piece: piece.box[0] + piece.box[2] / 2)
    slope = _slope(cores, height)
    chains = _chains(cores, height, slope)
    chains = _merged(chains, height, slope)
    small = [p for p in pieces if p.box[3] < CORE * height and cv2.countNonZero(p.mask) >= SPECK * height**2]
    for piece in small:
        _attach(piece, chains, height, slope)
    chains = [_strong(chain, ink) for chain in chains]
    lines = []
    for chain in chains:
        heights = [piece.box[3] for piece in chain if piece.box[3] >= CORE * height]
        if not heights:
            continue
        chain.sort(key=lambda piece: piece.box[0] + piece.box[2] / 2)
        tall = float(np.median(heights))
        lines.append(TextLine(tuple(cut for piece in chain for cut in cuts(piece, tall)), tall))
    return sorted(lines, key=lambda line: _level(line.pieces, slope))


def _blot(piece: Piece, shape: tuple[int, ...]) -> bool:
    """Return whether a piece is a dark corner or the paper's edge: large, or without strokes, at the page's rim."""
    height, width = shape
    left, top, wide, tall = piece.box
    area = cv2.countNonZero(piece.mask)
    at_rim = left == 0 or top == 0 or left + wide == width or top + tall == height
    if not at_rim or min(height, width) < 100:
        return False
    return area > 0.008 * height * width or max(wide / width, tall / height) > 0.6 or area > 0.5 * wide * tall


def _without_surrounds(pieces: list[Piece], shape: tuple[int, ...]) -> list[Piece]:
    """Return the pieces without those that lie around others, as the edge of a sheet does around what is written."""
    boxes = np.array([piece.box for piece in pieces]).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    seen = boxes[:, 3] > SEEN * shape[0]
    wide = np.all(boxes[:, 2:] > SURROUND * np.array(shape[::-1]), axis=1)
    kept = []
    for piece, spans, start, end in zip(pieces, wide.tolist(), low, high, strict=True):
        held = np.all((low > start) & (high < end), axis=1) & seen if spans else seen[:0]
        if held.sum() < SURROUNDED:
            kept.append(piece)
    return kept


def _ruling(piece: Piece, height: float) -> bool:
    """Return whether a piece is what is left of a rule: long, and of one thin stroke for most of its length."""
    _, _, wide, tall = piece.box
    if max(wide, tall) < 2 * height:
        return False
    along = np.count_nonzero(piece.mask, axis=0 if wide > tall else 1)
    return bool(np.mean(along <= 1.6 * stroke_width(piece.mask)) > 0.7)


def _darkness(piece: Piece, ink: Ink) -> float:
    left, top, wide, tall = piece.box
    return float(np.percentile(ink[top : top + tall, left : left + wide][piece.mask > 0], 75))


def _strength(pieces: Sequence[Piece], ink: Ink) -> float:
    """Return how dark the ink of some pieces is: what a quarter of it is darker than."""
    strengths = np.array([_darkness(piece, ink) for piece in pieces])
    votes = np.array([cv2.countNonZero(piece.mask) for piece in pieces])
    order = strengths.argsort()
    return float(strengths[order[np.searchsorted(votes[order].cumsum(), 0.75 * votes.sum())]])


def _strong(chain: list[Piece], ink: Ink) -> list[Piece]:
    """Return the pieces of a line whose ink is not much fainter than the line's."""
    least = WEAK * _strength(chain, ink)
    return [piece for piece in chain if _darkness(piece, ink) >= least]


def _middle(piece: Piece) -> tuple[float, float]:
    left, top, wide, tall = piece.box
    return left + wide / 2, top + tall / 2


def _level(pieces: Sequence[Piece], slope: float) -> float:
    return float(np.mean([_middle(piece)[1] - slope * _middle(piece)[0] for piece in pieces]))


def _neighbour(index: int, cores: Sequence[Piece], height: float, slope: float) -> int | None:
    """Return the piece that follows on the right of piece ``index``: near, and at its level."""
    x, y = _middle(cores[index])
    right = cores[index].box[0] + cores[index].box[2]
    best, nearest = None, GAP * height
    for other in range(index + 1, len(cores)):
        there_x, there_y = _middle(cores[other])
        gap = cores[other].box[0] - right
        if cores[other].box[0] - right > nearest:
            if there_x - right > GAP * height + 6 * height:
                break
            continue
        step = abs(there_y - y - slope * (there_x - x))
        if step < STEP * height + 0.05 * max(0.0, gap):
            cost = max(gap, 0.0) + 1.5 * step
            if cost < nearest:
                best, nearest = other, cost
    return best


def _slope(cores: Sequence[Piece], height: float) -> float:
    """Return how much the lines of writing fall to the right, pixels per pixel: the median over neighbours."""
    slopes = []
    for index in range(len(cores)):
        other = _neighbour(index, cores, height, 0.0)
        if other is not None:
            (x, y), (there_x, there_y) = _middle(cores[index]), _middle(cores[other])
            if there_x > x + 0.3 * height:
                slopes.append((there_y - y) / (there_x - x))
    return float(np.clip(np.median(slopes), -0.27, 0.27)) if len(slopes) >= 3 else 0.0


def _chains(cores: Sequence[Piece], height: float, slope: float) -> list[list[Piece]]:
    before: dict[int, int] = {}  # of two that claim the same neighbour, the one that stands nearer has it
    for index in range(len(cores)):
        after = _neighbour(index, cores, height, slope)
        if after is not None:
            before[after] = index
    chain_of: dict[int, list[Piece]] = {}
    chains: list[list[Piece]] = []
    for index, piece in enumerate(cores):
        if index in before:
            chain_of[index] = chain_of[before[index]]
        else:
            chain_of[index] = []
            chains.append(chain_of[index])
        chain_of[index].append(piece)
    return chains


def _merged(chains: list[list[Piece]], height: float, slope: float) -> list[list[Piece]]:
    """Join chains at one level that stand beside one another."""
    chains = sorted(chains, key=lambda chain: _level(chain, slope))
    out: list[list[Piece]] = []
    for chain in chains:
        for other in out:
            span, there = around([p.box for p in chain]), around([p.box for p in other])
            shared = min(span[0] + span[2], there[0] + there[2]) - max(span[0], there[0])
            close = _apart(chain, other, slope)
            apart = max(0, -shared) / height
            if shared < 0.6 * min(span[2], there[2]) and close < min(0.7, 0.45 + 0.05 * apart) * height:
                other.extend(chain)
                break
        else:
            out.append(list(chain))
    return out


def _apart(chain: Sequence[Piece], other: Sequence[Piece], slope: float) -> float:
    """Return how far, in pixels, two chains are off one level, where they are nearest to one another along it."""
    here, there = (np.array([_middle(piece) for piece in pieces]) for pieces in (chain, other))
    nearest = np.abs(here[:, None, 0] - there[None, :, 0]).argmin(1)
    step = here - there[nearest]
    return float(np.abs(step[:, 1] - slope * step[:, 0]).min())


def _attach(piece: Piece, chains: list[list[Piece]], height: float, slope: float) -> None:
    """Give a small piece to the line that it lies on, or to none."""
    x, y = _middle(piece)
    best, nearest = None, 0.75
    for chain in chains:
        core = min(chain, key=lambda other: abs(_middle(other)[0] - x))
        there_x, there_y = _middle(core)
        away = max(abs(x - there_x) - (core.box[2] + piece.box[2]) / 2, 0.0) / height
        if away > 1.0:
            continue
        step = abs(y - there_y - slope * (x - there_x)) / max(height, core.box[3])
        if step < nearest:
            best, nearest = chain, step
    if best is not None:
        best.append(piece)


def cuts(piece: Piece, height: float) -> list[Piece]:
    """Cut ink that may be several touching digits along seams of least ink; return the parts from the left.

    ``height`` is that of the line's digits.
    """
    _, _, wide, tall = piece.box
    if wide < CUT_WIDTH * height or tall < CORE * height:
        return [piece]
    scale = min(1.0, 48 / tall)
    small = np.asarray(cv2.resize(piece.mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    seams = _seams(small, height * scale)
    if not seams:
        return [piece]
    return _split(piece, seams, scale)


def _seams(mask: Mask, height: float) -> list[tuple[float, NDArray[np.intp]]]:
    """Return ways from the top of a mask (R, C) to its bottom that cross little ink, from the left; none cross.

    With each comes how many strokes it cuts, and its column in every row, (R,). Some wind round the strokes; others go
    straight on, through strokes that have run together.
    """
    found = [seam for slant in SLANTS for seam in _cheapest(mask, height, slant)]
    found.sort(key=lambda seam: float(seam[1].mean()))
    left_of = np.pad((mask > 127).cumsum(1), ((0, 0), (1, 0)))  # (R, C + 1), pixels of ink in a row
    rows, last = np.arange(len(mask)), np.zeros(len(mask), np.intp)
    least = SLIVER * stroke_width(mask) ** 2
    ordered: list[tuple[float, NDArray[np.intp]]] = []
    for ties, seam in found:
        after = np.maximum(seam, last)
        if (left_of[rows, after + 1] - left_of[rows, last]).sum() >= least:
            ordered.append((ties, after))
            last = after
    return ordered


def _cheapest(mask: Mask, height: float, slant: float) -> list[tuple[float, NDArray[np.intp]]]:
    """Return the best of the ways that cross the middle row at one place, for places that beat their neighbours."""
    rows, columns = mask.shape
    ink = np.asarray(mask / np.float32(255), np.float32)
    along = np.float32(ALONG / stroke_width(mask))
    middle = rows // 2
    down, from_above = _reach(ink[: middle + 1], along, slant)
    up, from_below = _reach(ink[middle:][::-1], along, slant)
    ties = down + up - along * ink[middle]
    least = max(2, round(APART * height))
    padded = np.pad(ties, least, constant_values=np.inf)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * least + 1).min(1)
    inner = slice(max(1, least // 2), columns - max(1, least // 2))
    found = []
    last = -least
    for column in np.flatnonzero((ties <= lowest) & (ties < MOST_INK)):
        if not inner.start <= column < inner.stop or column - last < least:
            continue
        last = int(column)
        above, below = _walk(from_above, last)[::-1], _walk(from_below, last)
        found.append((max(0.0, float(ties[column])), np.concatenate([above, below[1:]])))
    return found


def _reach(ink: NDArray[np.float32], along: np.float32, slant: float) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return the least ink from any place in the first row of (R, C) to every one in the last, and the steps there.

    A pixel of ink on the way costs ``along``, a step aside ``slant``; to cross a stroke ``1 - ALONG``, half a side.
    """
    rows, columns = ink.shape
    side = np.float32((1 - ALONG) / 2)
    total = (along + side) * ink[0]
    came = np.zeros((rows, columns), np.int8)
    for row in range(1, rows):
        before = np.pad(ink[row - 1], 1)
        padded = np.pad(total, 1, constant_values=np.inf)
        options = np.stack([padded[i : i + columns] + side * abs(ink[row] - before[i : i + columns]) for i in range(3)])
        options[[0, 2]] += np.float32(slant)
        choice = options.argmin(0)
        came[row] = choice - 1
        total = (options[choice, np.arange(columns)] + along * ink[row]).astype(np.float32)
    return total, came


def _walk(came: NDArray[np.int8], column: int) -> NDArray[np.intp]:
    """Return the columns of the way that ends in the last row at ``column``, from there back to the first row."""
    way = np.empty(len(came), np.intp)
    for index, row in enumerate(range(len(came) - 1, -1, -1)):
        way[index] = column
        column += int(came[row, column])
    return way


def _split(piece: Piece, seams: list[tuple[float, NDArray[np.intp]]], scale: float) -> list[Piece]:
    left, top, wide, tall = piece.box
    rows = np.minimum((np.arange(tall) * scale).astype(int), len(seams[0][1]) - 1)
    column = np.arange(wide)
    side = np.zeros((tall, wide), np.intp)
    for _, seam in seams:
        side += column >= ((seam[rows] + 0.5) / scale)[:, None]
    parts: list[Piece] = []
    tie = 0.0
    for index in range(len(seams) + 1):
        patch = np.where(side == index, piece.mask, 0).astype(np.uint8)
        ys, xs = np.flatnonzero(patch.any(1)), np.flatnonzero(patch.any(0))
        if index:
            tie = max(tie, seams[index - 1][0])
        if not len(ys):
            continue
        box = left + int(xs[0]), top + int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1
        parts.append(Piece(box, patch[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1], tie if parts else 0.0))
        tie = 0.0
    return parts


def candidates(line: TextLine, ink: Ink) -> list[Candidate]:
    """Return every run of neighbouring pieces of a line that is not too wide for one digit."""
    found = []
    pieces = line.pieces
    small, scaled = _scaled(line, ink)
    for start in range(len(pieces)):
        gap = 0.0
        for stop in range(start + 1, min(start + RUN, len(pieces)) + 1):
            run = pieces[start:stop]
            box = around([piece.box for piece in run])
            if stop > start + 1 and box[2] > WIDEST * line.height:
                break
            between = run[-1].box[0] - max((p.box[0] + p.box[2] for p in run[:-1]), default=run[-1].box[0])
            gap += max(0.0, between)
            if between > 0.35 * line.height:
                break
            if stop > start + 1 and box[3] < CORE * line.height:
                continue
            found.append(Candidate(start, stop, box, picture(small[start:stop], scaled), run[0].joined, gap))
    return found


def _scaled(line: TextLine, ink: Ink) -> tuple[list[Piece], Ink]:
    """Return a line's pieces and the ink that they lie on, of a size at which pictures are quickly made."""
    if line.height <= ENOUGH:
        return list(line.pieces), ink
    left, top, wide, tall = line.box
    scale = ENOUGH / line.height
    size = max(1, round(wide * scale)), max(1, round(tall * scale))
    scaled = np.asarray(cv2.resize(ink[top : top + tall, left : left + wide], size, interpolation=cv2.INTER_AREA))
    pieces = []
    for piece in line.pieces:
        x, y, w, h = piece.box
        now = max(1, round(w * scale)), max(1, round(h * scale))
        shares = cv2.resize(piece.mask, now, interpolation=cv2.INTER_AREA)
        mask = np.asarray((shares > 60) * np.uint8(255), np.uint8)
        at = round((x - left) * scale), round((y - top) * scale)
        pieces.append(Piece((*at, *now), mask, piece.joined))
    return pieces, np.asarray(scaled, np.float32)


def picture(run: Sequence[Piece], ink: Ink) -> NDArray[np.uint8]:
    """Return the ink of some pieces, and of nothing else, in the form of MNIST, uint8 (28, 28)."""
    left, top, wide, tall = around([piece.box for piece in run])
    mask = np.zeros((tall + 2, wide + 2), np.uint8)
    for piece in run:
        x, y = piece.box[0] - left + 1, piece.box[1] - top + 1
        view = mask[y : y + piece.box[3], x : x + piece.box[2]]
        np.maximum(view, piece.mask, out=view)
    mask = np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), np.uint8)
    height, width = ink.shape
    patch = np.zeros((tall + 2, wide + 2), np.float32)
    y0, x0 = max(0, top - 1), max(0, left - 1)
    y1, x1 = min(height, top + tall + 1), min(width, left + wide + 1)
    patch[y0 - top + 1 : y1 - top + 1, x0 - left + 1 : x1 - left + 1] = ink[y0:y1, x0:x1]
    patch[mask == 0] = 0
    if not patch.any():
        return np.zeros((SIZE, SIZE), np.uint8)
    strongest = strongest_ink(patch[mask > 0]) or 1.0
    return framed(np.asarray((patch * (255 / strongest)).clip(0, 255), np.uint8))
