from itertools import pairwise

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.synthetic.line_text import (
    CHARACTERS,
    CROSSED_OUT,
    DIGITS,
    OTHER,
    SEPARATORS,
    STROKES,
    Part,
    cross_some_out,
    draw_number,
    draw_other,
    draw_word,
    with_surroundings,
)
from inkdigits.synthetic.lines import MadeLine, Writers, make_line
from inkdigits.synthetic.outliers import font_files
from inkdigits.synthetic.papers import IN_INK, UNDER_INK, Disturb, Sheet, cells
from inkdigits.synthetic.pens import StrokeWriter
from inkdigits.synthetic.scanning import SCANNING, Scan

MANY = 120  # lines


@pytest.fixture(scope="module")
def writers(small: Dataset) -> Writers:
    """Every kind of writer; printed fonts stand in for handwriting, which is fetched."""
    return Writers(small.train, font_files()[:2], prints=font_files()[2:4])


@pytest.fixture(scope="module")
def made(writers: Writers) -> list[MadeLine]:
    rng = np.random.default_rng(0)
    return [make_line(rng, writers) for _ in range(MANY)]


@pytest.fixture
def sheet() -> Sheet:
    """A plain sheet with the bars of some strokes."""
    ink = np.zeros((60, 200), np.float32)
    ink[15:45, 20:190:24], ink[15:45, 21:190:24] = 1, 1
    return Sheet(ink, np.full_like(ink, 0.8), 30, 15, 45, 1, between=((62, 70), (110, 130)))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing disturbs the writing, and every line holds a number in which nothing is crossed out."""
    for layers in ("IN_INK", "UNDER_INK", "SCANNING"):
        monkeypatch.setattr(f"inkdigits.synthetic.lines.{layers}", ())
    monkeypatch.setattr("inkdigits.synthetic.lines.NO_NUMBER", 0)
    monkeypatch.setattr("inkdigits.synthetic.lines.CORRECTED", 0)


def test_the_same_seed_makes_the_same_line(writers: Writers) -> None:
    first, again, other = (make_line(np.random.default_rng(seed), writers) for seed in (5, 5, 6))
    assert first.text == again.text
    assert (first.image == again.image).all()
    assert (first.boxes == again.boxes).all()
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


def test_every_character_of_the_text_has_a_box(made: list[MadeLine]) -> None:
    for line in made:
        assert line.image.dtype == np.uint8
        assert line.boxes.shape == (len(line.text), 4)
        assert line.digit_boxes.shape == (len(line.digits), 4)
        assert line.digits == "".join(c for c in line.text if c in DIGITS)
    assert set(CHARACTERS) == set("".join(line.text for line in made)) == set(DIGITS + SEPARATORS + OTHER + CROSSED_OUT)
    assert 0.8 < np.mean([bool(line.digits) for line in made]) < 1


def test_boxes_go_from_left_to_right(made: list[MadeLine]) -> None:
    for line in made:
        middles = line.digit_boxes[:, 0] + line.digit_boxes[:, 2] / 2
        assert all(after > before - 3 for before, after in pairwise(middles))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("height", [20, 50])
def test_boxes_lie_on_ink(height: int, writers: Writers) -> None:
    rng = np.random.default_rng(1)
    inside = total = count = 0
    for _ in range(40):
        line = make_line(rng, writers, heights=(height, height), text="70-381")
        inked = line.image < 0.9 * line.image.max()
        found = np.zeros_like(inked)
        for x, y, w, h in line.boxes:
            part = np.s_[max(0, int(y) - 2) : int(np.ceil(y + h)) + 2, max(0, int(x) - 2) : int(np.ceil(x + w)) + 2]
            assert inked[part].any()
            rows, columns = np.nonzero(inked[part])
            count += 1
            total += np.ptp(rows) + 1 >= 0.8 * min(h, height - y) and np.ptp(columns) + 1 >= min(0.8 * w, w - 1)
            found[part] = True
        assert 0 <= line.boxes[:, 1].min() + 3 < (line.boxes[:, 1] + line.boxes[:, 3]).max() <= height + 3
        inside += (inked & found).sum() / inked.sum()
    assert total > 0.98 * count
    assert inside / 40 > 0.8  # the rest are signs, closing strokes and neighbours


def test_the_text_can_be_given_and_words_may_stand_beside_it(writers: Writers) -> None:
    rng = np.random.default_rng(2)
    texts = [make_line(rng, writers, text="12.500,00").text for _ in range(40)]
    assert {text.strip(OTHER) for text in texts} == {"12.500,00"}
    assert any(text.startswith(OTHER) for text in texts)
    assert any(text.endswith(OTHER) for text in texts)


def test_the_height_is_as_asked(writers: Writers) -> None:
    rng = np.random.default_rng(3)
    assert {make_line(rng, writers, heights=(48, 48)).image.shape[0] for _ in range(5)} == {48}
    heights = [make_line(rng, writers).image.shape[0] for _ in range(60)]
    assert 12 <= min(heights) < 35 < 65 < max(heights) <= 120


def test_without_fonts_lines_are_made_of_samples_and_strokes(small: Dataset) -> None:
    rng = np.random.default_rng(4)
    lines = [make_line(rng, Writers(small.train)) for _ in range(40)]
    assert {line.writer for line in lines} == {"SampleWriter", "StrokeWriter"}
    assert np.mean([bool(line.digits) for line in lines]) > 0.8


def test_numbers_come_in_every_form() -> None:
    rng = np.random.default_rng(0)
    numbers = [draw_number(rng) for _ in range(400)]
    texts = ["".join(part.character for part in number) for number in numbers]
    lengths = {sum(c in DIGITS for c in text) for text in texts}
    assert set(range(1, 13)) <= lengths
    assert {mark for mark in SEPARATORS if any(mark in text for text in texts)} == set(SEPARATORS)
    assert any(text.endswith("00") and number[-1].raised for text, number in zip(texts, numbers, strict=True))


def test_what_surrounds_a_number_does_not_count() -> None:
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for _ in range(600):
        number = draw_number(rng)
        parts = with_surroundings(number, True, rng, prints=True)
        assert [part.character for part in parts if part.counted] == [part.character for part in number]
        others = [part for part in parts if not part.counted]
        assert {part.label for part in others} <= {"", OTHER}
        assert all((part.label == "") == (part.character in STROKES) for part in others)
        seen |= {part.character for part in others}
        seen |= {"print" for part in others if part.printed}
    assert set("$R€£#*=-~_") | {"print"} <= seen


@pytest.mark.parametrize("kinds", [{"letters"}, {"prints"}, {"letters", "prints"}])
def test_words_are_written_or_printed_with_the_fonts_that_there_are(kinds: set[str]) -> None:
    rng = np.random.default_rng(1)
    words = [draw_word(rng, "letters" in kinds, "prints" in kinds) for _ in range(300)]
    assert {"prints" if part.printed else "letters" for word in words for part in word} == kinds
    for word in words:
        assert len({part.printed for part in word}) == 1
        assert {part.label for part in word} == {OTHER}
        assert word[0].printed or not set(DIGITS) & {part.character for part in word}
    assert {len(word) for word in words} == set(range(1, 8))
    with_digits = [word for word in words if set(DIGITS) & {part.character for part in word}]
    assert bool(with_digits) == ("prints" in kinds)


def test_without_fonts_there_are_no_words() -> None:
    rng = np.random.default_rng(2)
    number = [Part("7")]
    for _ in range(300):
        characters = {part.character for part in with_surroundings(number, False, rng) + draw_other(rng, False, False)}
        assert characters <= set("7$R€£#*=-~_.,")


def test_a_line_without_a_number_holds_words_or_a_stroke_or_nothing() -> None:
    rng = np.random.default_rng(3)
    lines = [draw_other(rng, True, True) for _ in range(300)]
    assert {part.label for line in lines for part in line} == {"", OTHER}
    assert [] in lines
    words = [1 + sum(part.before > 0 for part in line) for line in lines if any(part.label for part in line)]
    assert set(words) == {1, 2, 3, 4}
    assert any(part.printed for line in lines for part in line)
    assert any(not part.printed and part.label for line in lines for part in line)


def test_some_lines_hold_no_number(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inkdigits.synthetic.lines.NO_NUMBER", 1)
    rng = np.random.default_rng(4)
    lines = [make_line(rng, writers) for _ in range(40)]
    assert {character for line in lines for character in line.text} == {OTHER}
    assert not any(line.digits for line in lines)
    assert any(not line.text for line in lines)
    assert all(line.boxes.shape == (len(line.text), 4) for line in lines)


def test_crossed_out_digits_are_labelled_as_such() -> None:
    rng = np.random.default_rng(5)
    ways = set()
    for _ in range(300):
        number = [Part(c) for c in "12.50"]
        parts = cross_some_out(number, rng)
        assert all((part.label == CROSSED_OUT) == part.crossed for part in parts)
        assert not any(part.crossed and part.counted for part in parts)
        kept = "".join(part.label for part in parts if not part.crossed)
        assert kept in ("12.50", "")
        crossed = [part.crossed for part in parts]
        ways.add("all" if not kept else "before" if crossed == sorted(crossed, reverse=True) else "within")
    assert ways == {"all", "before", "within"}


def test_a_crossed_out_digit_has_a_box_and_strokes(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inkdigits.synthetic.lines.CORRECTED", 1)
    monkeypatch.setattr("inkdigits.synthetic.lines.NO_NUMBER", 0)
    rng = np.random.default_rng(6)
    lines = [make_line(rng, writers) for _ in range(30)]
    assert all(CROSSED_OUT in line.text and "crossed_out" in line.applied for line in lines)
    assert all(line.boxes.shape == (len(line.text), 4) for line in lines)
    assert any(not line.digits for line in lines)  # all of the number was crossed out
    assert any(line.digits for line in lines)


def test_every_disturbance_happens(made: list[MadeLine]) -> None:
    happened = {name for line in made for name in line.applied}
    assert {disturb.__name__ for disturb, _ in (*IN_INK, *UNDER_INK)} <= happened
    assert {step.__name__ for step, _ in SCANNING} <= happened
    assert {"joined", "underlined", "neighbours", "crossed_out"} <= happened


@pytest.mark.parametrize(
    "disturb", [disturb for disturb, _ in (*IN_INK, *UNDER_INK)], ids=lambda disturb: disturb.__name__
)
def test_each_disturbance_changes_its_layer_and_nothing_else(disturb: Disturb, sheet: Sheet) -> None:
    ink, paper = sheet.ink.copy(), sheet.paper.copy()
    in_ink = disturb in [function for function, _ in IN_INK]
    changed = 0
    for seed in range(5):
        sheet.ink, sheet.paper = ink.copy(), paper.copy()
        disturb(sheet, np.random.default_rng(seed))
        changed += not np.array_equal(sheet.ink if in_ink else sheet.paper, ink if in_ink else paper)
        assert np.array_equal(sheet.paper if in_ink else sheet.ink, paper if in_ink else ink)
        assert sheet.ink.dtype == sheet.paper.dtype == np.float32
    assert changed >= 4


def test_cells_draw_uprights_between_the_characters() -> None:
    """Upright lines through the lower part of the writing stand in the gaps; those of a low comb are not counted."""
    between = ((60.0, 84.0), (120.0, 128.0), (170.0, 220.0))
    rng = np.random.default_rng(0)
    inside, everywhere = [0, 0, 0], 0
    for _ in range(60):
        ink = np.zeros((60, 300), np.float32)
        sheet = Sheet(ink, np.ones_like(ink), 30, 15, 45, 1, between=between)
        cells(sheet, rng)
        upright = (sheet.paper[32:44] < 0.95).all(0)
        for place, (start, end) in enumerate(between):
            inside[place] += upright[int(start) - 2 : int(end) + 2].any()
        written = np.r_[88:116, 132:166]  # columns of the characters between the gaps
        assert not upright[written].any()
        everywhere += all(upright[int(start) - 2 : int(end) + 2].any() for start, end in between)
    assert inside[2] > 50
    assert inside[1] < inside[0]  # a narrow gap lies within a field at times
    assert everywhere > 30


@pytest.mark.parametrize("step", [step for step, _ in SCANNING], ids=lambda step: step.__name__)
def test_each_step_of_a_scan_changes_the_picture_and_keeps_its_size(step: Scan, sheet: Sheet) -> None:
    image = sheet.paper * (1 - sheet.ink)
    scanned = step(image.copy(), sheet.digit, np.random.default_rng(0))
    assert scanned.shape == image.shape
    assert scanned.dtype == np.float32
    assert np.abs(scanned - image).max() > 0.01


def test_digits_of_one_line_are_more_alike_than_those_of_two_lines(writers: Writers) -> None:
    rng = np.random.default_rng(6)
    boxes = np.stack([make_line(rng, writers, heights=(60, 60), text="2424").digit_boxes for _ in range(40)])
    shapes = np.log(boxes[:, :, 2] / boxes[:, :, 3])  # (40, 4): width over height
    for pair in (shapes[:, ::2], shapes[:, 1::2]):
        assert np.abs(pair[:, 0] - pair[:, 1]).mean() < 0.6 * np.abs(pair[:-1, 0] - pair[1:, 1]).mean()


def test_a_writer_of_strokes_keeps_the_way_of_a_digit() -> None:
    rng = np.random.default_rng(9)
    same, other = [], []
    for _ in range(30):
        writer = StrokeWriter(rng)
        first, second, foreign = (w.glyph("4", rng) for w in (writer, writer, StrokeWriter(rng)))
        aspects = [(g.box[2] - g.box[0]) / (g.box[3] - g.box[1]) for g in (first, second, foreign) if g is not None]
        same.append(abs(aspects[0] - aspects[1]))
        other.append(abs(aspects[0] - aspects[2]))
    assert np.mean(same) < 0.5 * np.mean(other)


@pytest.mark.usefixtures("plain")
def test_raised_cents_are_small_and_high(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    number = [Part("8"), Part("8"), Part("8", raised=True)]
    monkeypatch.setattr("inkdigits.synthetic.lines.draw_number", lambda rng: number)
    rng = np.random.default_rng(10)
    for _ in range(20):
        boxes = make_line(rng, writers, heights=(60, 60)).digit_boxes
        middles = boxes[:, 1] + boxes[:, 3] / 2
        assert boxes[2, 3] < 0.9 * boxes[:2, 3].max()
        assert middles[2] < middles[1]


@pytest.mark.usefixtures("plain")
def test_separators_lie_low_and_dashes_in_the_middle(writers: Writers) -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        line = make_line(rng, writers, heights=(60, 60), text="1.1-1")
        number = line.boxes[[c != OTHER for c in line.text]]
        (_, top, _, tall), (_, dot, _, dot_tall), _, (_, dash, _, dash_tall), _ = number
        assert dot + dot_tall / 2 > top + 0.6 * tall
        assert 0.15 * tall < dash + dash_tall / 2 - top < 0.9 * tall


def test_ones_are_narrower_than_eights(writers: Writers) -> None:
    rng = np.random.default_rng(8)
    ones, eights = (
        np.mean([make_line(rng, writers, heights=(48, 48), text=text).digit_boxes[:, 2].mean() for _ in range(60)])
        for text in ("111", "888")
    )
    assert ones < 0.9 * eights
