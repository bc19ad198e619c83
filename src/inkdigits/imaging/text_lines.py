"""Lines of writing on a page: pieces of ink that stand beside one another at one level."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inkdigits.imaging.binarize import Ink, stroke_width
from inkdigits.imaging.geometry import Box, bounding_box
from inkdigits.imaging.pieces import Piece


@dataclass(frozen=True)
class TextLineParameters:
    """What makes pieces of ink a line of writing. "Heights" are those of the page's writing."""

    most_pieces: int = 3000  # of a page; the smaller ones beyond are dust
    smallest_piece: int = 4  # pixels of ink; less is dust
    core: float = 0.45  # heights; a digit is at least so high, lower ink belongs to one or is a speck
    tallest: float = 2.6  # heights; higher ink is no digit
    longest: float = 12.0  # heights; wider ink is no run of touching digits
    speck: float = 0.012  # squared heights of ink; smaller pieces do not count
    gap: float = 3.5  # heights between neighbours on a line, at most
    step: float = 0.55  # heights by which the next digit may stand higher or lower
    step_per_gap: float = 0.05  # further heights for each height of gap
    merge_overlap: float = 0.6  # of the shorter chain's width; chains that overlap more lie above one another
    merge_step: tuple[float, float, float] = (0.45, 0.05, 0.7)  # heights: apart at most, more per gap, in all
    attach_distance: float = 1.0  # heights from the digit that a small piece belongs to, at most
    attach_step: float = 0.75  # digit heights above or below its middle, at most
    steepest: float = 0.27  # pixels per pixel; lines of writing slope no more
    rule_length: float = 2.0  # heights; a remainder of a rule is at least so long
    rule_thin: tuple[float, float] = (1.6, 0.7)  # stroke widths it is thick at most, on this share of its length
    surround: float = 0.35  # of the page's width and height; the edge of a sheet spans more of both
    surround_digit: float = 0.02  # of the page's height; a digit within such an edge is at least so high
    surrounded: int = 3  # digits at least within such an edge
    faint_piece: float = 0.4  # of the page's usual ink; fainter pieces are not writing
    faint_in_line: float = 0.5  # of the line's usual ink; fainter pieces do not belong to it
    blot_area: float = 0.008  # of the page; a larger piece at the page's edge is shadow
    blot_span: float = 0.6  # of the page's width or height; a longer piece at the page's edge is the sheet's edge
    blot_density: float = 0.5  # of its box; a denser piece at the page's edge has no strokes
    shadow_span: float = 0.35  # of the page's width or height; a shadow or the sheet's edge is longer
    shadow_thick: float = 3.5  # times the usual radius of the strokes beside it; it is thicker
    shadow_beside: float = 0.025  # of the page's width or height; strokes span more, specks less
    shadow_strokes: int = 3  # such strokes at least
    blot_page: int = 100  # pixels; on smaller pages digits touch the edge


@dataclass(frozen=True)
class TextLine:
    """One line of writing: its pieces from left to right, and the height of its digits in pixels."""

    pieces: tuple[Piece, ...]
    height: float

    @property
    def box(self) -> Box:
        """Left, top, width and height of all its ink, pixels."""
        return bounding_box([piece.box for piece in self.pieces])


def writing_height(pieces: Sequence[Piece]) -> float:
    """Return the height of the writing, pixels: the median height of its pieces, weighted by their ink."""
    heights = np.array([max(piece.box[3], 0.5 * piece.box[2]) for piece in pieces], float)
    votes = np.array([cv2.countNonZero(piece.mask) for piece in pieces], float)
    order = heights.argsort()
    half = np.searchsorted(votes[order].cumsum(), votes.sum() / 2)
    return float(heights[order][half])


def find_text_lines(pieces: Sequence[Piece], ink: Ink, parameters: TextLineParameters | None = None) -> list[TextLine]:
    """Return the lines of writing on a page, from the top; ink that is much fainter than its line is left out.

    Parameters
    ----------
    pieces
        The connected components of the page's writing.
    ink
        float32 (H, W) in [0, 1].
    """
    p = parameters or TextLineParameters()
    pieces, height = _writing(pieces, ink, p)
    cores = [q for q in pieces if p.core * height <= q.box[3] <= p.tallest * height and q.box[2] <= p.longest * height]
    if not cores:
        return []
    cores.sort(key=lambda piece: piece.box[0] + piece.box[2] / 2)
    slope = _slope(cores, height, p)
    chains = _merge_chains(_chains(cores, height, slope, p), height, slope, p)
    for piece in pieces:
        if piece.box[3] < p.core * height and cv2.countNonZero(piece.mask) >= p.speck * height**2:
            _attach(piece, chains, height, slope, p)
    lines = [_as_line(_strong(chain, ink, p), height, p) for chain in chains]
    return sorted((line for line in lines if line is not None), key=lambda line: _level(line.pieces, slope))


def _writing(pieces: Sequence[Piece], ink: Ink, p: TextLineParameters) -> tuple[list[Piece], float]:
    """Return the pieces that may be writing, and the height of the writing."""
    pieces = _without_shadows([piece for piece in pieces if not _is_blot(piece, ink.shape, p)], ink.shape, p)
    kept = _without_surrounds(pieces, ink.shape, p)
    if not kept:
        return [], 0.0
    height = writing_height(kept)
    writing = [piece for piece in kept if not _is_rule(piece, height, p)]
    least = p.faint_piece * _strength(writing, ink) if writing else 0.0
    kept = [piece for piece in kept if _darkness(piece, ink) >= least]
    writing = [piece for piece in writing if _darkness(piece, ink) >= least]
    height = writing_height(writing) if writing else height  # fainter print may have another height
    return [piece for piece in kept if not _is_rule(piece, height, p)], height


def _as_line(chain: list[Piece], height: float, p: TextLineParameters) -> TextLine | None:
    """Return a chain as a line of pieces from left to right; None where no piece is as high as a digit."""
    heights = [piece.box[3] for piece in chain if piece.box[3] >= p.core * height]
    if not heights:
        return None
    chain.sort(key=lambda piece: piece.box[0] + piece.box[2] / 2)
    return TextLine(tuple(chain), float(np.median(heights)))


def _is_blot(piece: Piece, shape: tuple[int, ...], p: TextLineParameters) -> bool:
    """Return whether a piece at the page's edge is a shadow or the sheet's edge: large, long or dense."""
    height, width = shape
    left, top, wide, tall = piece.box
    area = cv2.countNonZero(piece.mask)
    at_edge = left == 0 or top == 0 or left + wide == width or top + tall == height
    if not at_edge or min(height, width) < p.blot_page:
        return False
    large, long = area > p.blot_area * height * width, max(wide / width, tall / height) > p.blot_span
    return large or long or area > p.blot_density * wide * tall


def _without_shadows(pieces: list[Piece], shape: tuple[int, ...], p: TextLineParameters) -> list[Piece]:
    """Return the pieces without shadows and edges of the sheet: long ones that are much thicker than strokes."""
    spans = [max(piece.box[3] / shape[0], piece.box[2] / shape[1]) for piece in pieces]
    long = [span > p.shadow_span for span in spans]
    strokes = [
        _radius(piece) for piece, span in zip(pieces, spans, strict=True) if p.shadow_beside < span <= p.shadow_span
    ]
    if not any(long) or len(strokes) < p.shadow_strokes:
        return pieces
    most = p.shadow_thick * max(1.0, float(np.median(strokes)))
    return [piece for piece, far in zip(pieces, long, strict=True) if not far or _radius(piece) <= most]


def _radius(piece: Piece) -> float:
    """Return the radius of the largest circle that fits into a piece's ink, pixels."""
    return float(cv2.distanceTransform(np.pad(piece.mask, 1), cv2.DIST_L2, 3).max())


def _without_surrounds(pieces: list[Piece], shape: tuple[int, ...], p: TextLineParameters) -> list[Piece]:
    """Return the pieces without those around others, as the edge of a sheet is around the writing."""
    boxes = np.array([piece.box for piece in pieces]).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    seen = boxes[:, 3] > p.surround_digit * shape[0]
    wide = np.all(boxes[:, 2:] > p.surround * np.array(shape[::-1]), axis=1)
    kept = []
    for piece, spans, start, end in zip(pieces, wide.tolist(), low, high, strict=True):
        held = np.all((low > start) & (high < end), axis=1) & seen if spans else seen[:0]
        if held.sum() < p.surrounded:
            kept.append(piece)
    return kept


def _is_rule(piece: Piece, height: float, p: TextLineParameters) -> bool:
    """Return whether a piece is a remainder of a rule: long, and one thin stroke for most of its length."""
    _, _, wide, tall = piece.box
    if max(wide, tall) < p.rule_length * height:
        return False
    along = np.count_nonzero(piece.mask, axis=0 if wide > tall else 1)
    thick, share = p.rule_thin
    return bool(np.mean(along <= thick * stroke_width(piece.mask)) > share)


def _darkness(piece: Piece, ink: Ink) -> float:
    """Return the upper quartile of a piece's ink."""
    left, top, wide, tall = piece.box
    return float(np.percentile(ink[top : top + tall, left : left + wide][piece.mask > 0], 75))


def _strength(pieces: Sequence[Piece], ink: Ink) -> float:
    """Return the upper quartile of the darkness of pieces, weighted by their ink."""
    strengths = np.array([_darkness(piece, ink) for piece in pieces])
    votes = np.array([cv2.countNonZero(piece.mask) for piece in pieces])
    order = strengths.argsort()
    return float(strengths[order[np.searchsorted(votes[order].cumsum(), 0.75 * votes.sum())]])


def _strong(chain: list[Piece], ink: Ink, p: TextLineParameters) -> list[Piece]:
    """Return the pieces of a line that are not much fainter than the line."""
    least = p.faint_in_line * _strength(chain, ink)
    return [piece for piece in chain if _darkness(piece, ink) >= least]


def _middle(piece: Piece) -> tuple[float, float]:
    left, top, wide, tall = piece.box
    return left + wide / 2, top + tall / 2


def _level(pieces: Sequence[Piece], slope: float) -> float:
    """Return the mean height of the pieces on the page, in pixels from the top, at column 0 of their slope."""
    return float(np.mean([_middle(piece)[1] - slope * _middle(piece)[0] for piece in pieces]))


def _neighbour(index: int, cores: Sequence[Piece], height: float, slope: float, p: TextLineParameters) -> int | None:
    """Return the nearest piece to the right of piece ``index`` at its level; None if there is none near."""
    x, y = _middle(cores[index])
    right = cores[index].box[0] + cores[index].box[2]
    best, nearest = None, p.gap * height
    for other in range(index + 1, len(cores)):
        there_x, there_y = _middle(cores[other])
        gap = cores[other].box[0] - right
        if cores[other].box[0] - right > nearest:
            if there_x - right > p.gap * height + p.longest / 2 * height:
                break
            continue
        step = abs(there_y - y - slope * (there_x - x))
        if step < p.step * height + p.step_per_gap * max(0.0, gap):
            cost = max(gap, 0.0) + 1.5 * step
            if cost < nearest:
                best, nearest = other, cost
    return best


def _slope(cores: Sequence[Piece], height: float, p: TextLineParameters) -> float:
    """Return the slope of the lines of writing, pixels down per pixel to the right: the median over neighbours."""
    slopes = []
    for index in range(len(cores)):
        other = _neighbour(index, cores, height, 0.0, p)
        if other is not None:
            (x, y), (there_x, there_y) = _middle(cores[index]), _middle(cores[other])
            if there_x > x + 0.3 * height:
                slopes.append((there_y - y) / (there_x - x))
    return float(np.clip(np.median(slopes), -p.steepest, p.steepest)) if len(slopes) >= 3 else 0.0


def _chains(cores: Sequence[Piece], height: float, slope: float, p: TextLineParameters) -> list[list[Piece]]:
    """Return chains of neighbouring pieces, each from left to right."""
    before: dict[int, int] = {}  # of two pieces with the same neighbour, the nearer one keeps it
    for index in range(len(cores)):
        after = _neighbour(index, cores, height, slope, p)
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


def _merge_chains(chains: list[list[Piece]], height: float, slope: float, p: TextLineParameters) -> list[list[Piece]]:
    """Return the chains, those at one level beside one another joined."""
    base, per_gap, most = p.merge_step
    chains = sorted(chains, key=lambda chain: _level(chain, slope))
    out: list[list[Piece]] = []
    for chain in chains:
        for other in out:
            span, there = bounding_box([q.box for q in chain]), bounding_box([q.box for q in other])
            shared = min(span[0] + span[2], there[0] + there[2]) - max(span[0], there[0])
            close = _apart(chain, other, slope)
            apart = max(0, -shared) / height
            if shared < p.merge_overlap * min(span[2], there[2]) and close < min(most, base + per_gap * apart) * height:
                other.extend(chain)
                break
        else:
            out.append(list(chain))
    return out


def _apart(chain: Sequence[Piece], other: Sequence[Piece], slope: float) -> float:
    """Return by how many pixels two chains differ in level, where they are nearest to one another."""
    here, there = (np.array([_middle(piece) for piece in pieces]) for pieces in (chain, other))
    nearest = np.abs(here[:, None, 0] - there[None, :, 0]).argmin(1)
    step = here - there[nearest]
    return float(np.abs(step[:, 1] - slope * step[:, 0]).min())


def _attach(piece: Piece, chains: list[list[Piece]], height: float, slope: float, p: TextLineParameters) -> None:
    """Append a small piece to the chain that it lies on, if any."""
    x, y = _middle(piece)
    best, nearest = None, p.attach_step
    for chain in chains:
        core = min(chain, key=lambda other: abs(_middle(other)[0] - x))
        there_x, there_y = _middle(core)
        away = max(abs(x - there_x) - (core.box[2] + piece.box[2]) / 2, 0.0) / height
        if away > p.attach_distance:
            continue
        step = abs(y - there_y - slope * (x - there_x)) / max(height, core.box[3])
        if step < nearest:
            best, nearest = chain, step
    if best is not None:
        best.append(piece)
