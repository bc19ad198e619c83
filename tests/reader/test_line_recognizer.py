import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from inkdigits.data import Dataset
from inkdigits.errors import ModelError
from inkdigits.imaging.strips import HEIGHT, Strip, make_strip
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import METADATA, bundled


@pytest.fixture(scope="module")
def recognizer() -> LineRecognizer:
    return LineRecognizer(threads=1)


def strip_of(digits: list[NDArray[np.uint8]], apart: int = 4, ends: int = 12) -> Strip:
    """Digits 28x28, ink bright on black, side by side on paper."""
    gap, end = np.zeros((28, apart), np.uint8), np.zeros((28, ends), np.uint8)
    row = [end]
    for digit in digits:
        row += [digit, gap]
    return make_strip(255 - np.pad(np.hstack([*row, end]), ((4, 4), (0, 0))))


@pytest.fixture(scope="module")
def strips(mnist_5k: Dataset) -> tuple[list[Strip], list[str]]:
    """Lines of one to eight digits, and what they say."""
    rng = np.random.default_rng(0)
    chosen = [rng.integers(0, len(mnist_5k.test), count) for count in (1, 2, 3, 4, 5, 8, 6, 2, 7, 3) * 3]
    made = [strip_of([mnist_5k.test.images[i] for i in indices]) for indices in chosen]
    return made, ["".join(str(mnist_5k.test.labels[i]) for i in indices) for indices in chosen]


def test_the_bundled_model_reads_lines_of_digits(
    recognizer: LineRecognizer, strips: tuple[list[Strip], list[str]]
) -> None:
    made, truth = strips
    lines = recognizer.read(made)
    assert np.mean([line.text == text for line, text in zip(lines, truth, strict=True)]) > 0.8
    for line in lines:
        assert "".join(character.character for character in line.characters) == line.text == line.texts[0][0]
        assert sum(probability for _, probability in line.texts) <= 1 + 1e-6
        for character in line.characters:
            assert character.probabilities.shape == (len(recognizer.characters),)
            assert character.probability == character.probabilities[recognizer.characters.index(character.character)]


def test_every_digit_has_a_box_around_its_ink(recognizer: LineRecognizer, mnist_5k: Dataset) -> None:
    indices = [int(np.flatnonzero(mnist_5k.test.labels == digit)[0]) for digit in range(10)]
    line = recognizer.read([strip_of([mnist_5k.test.images[i] for i in indices], apart=8)])[0]
    assert line.text == "0123456789"
    scale = HEIGHT / 36
    for place, (index, character) in enumerate(zip(indices, line.characters, strict=True)):
        rows, columns = np.nonzero(mnist_5k.test.images[index] > 100)
        start = 12 + 36 * place
        expected = [start + columns.min(), 4 + rows.min(), start + columns.max() + 1, 4 + rows.max() + 1]
        assert character.edges == pytest.approx([scale * edge for edge in expected], abs=4)


def test_one_by_one_is_as_all_together(recognizer: LineRecognizer, strips: tuple[list[Strip], list[str]]) -> None:
    made, _ = strips
    together = recognizer.read(made)
    for strip, line in zip(made, together, strict=True):
        alone = recognizer.read([strip])[0]
        assert alone.text == line.text
        for one, other in zip(alone.characters, line.characters, strict=True):
            assert one.edges == pytest.approx(other.edges, abs=1e-3)
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    assert [line.text for line in recognizer.read(made[::-1])] == [line.text for line in together[::-1]]


def test_strips_of_any_width_are_read_and_none_too(
    recognizer: LineRecognizer, strips: tuple[list[Strip], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[int, ...]] = []
    run = recognizer.run

    def counted(batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        passes.append(batch.shape)
        return run(batch)

    monkeypatch.setattr(recognizer, "run", counted)
    assert recognizer.read([]) == []
    assert passes == []
    widths = [8, 9, 16, 17, 300, 301, 3000]
    assert len(recognizer.read([np.zeros((HEIGHT, width), np.uint8) for width in widths])) == len(widths)
    padded = sorted(shape[2] for shape in passes)
    assert padded == [8, 16, 24, 320, 3072]  # and every strip of one width runs once
    passes.clear()
    recognizer.read([np.zeros((HEIGHT, 1000), np.uint8)] * 20)
    assert sum(shape[0] for shape in passes) == 20
    assert max(np.prod(shape) for shape in passes) <= 16 * 40 * 400  # the memory of one pass has a limit


def test_padding_is_no_part_of_the_line(recognizer: LineRecognizer, strips: tuple[list[Strip], list[str]]) -> None:
    """Steps that stand on the padding are not read, whatever the network says there."""
    strip = strips[0][5][:, :289]  # padded to 320
    probabilities, _ = recognizer.run(strip[None])
    steps = probabilities.shape[1]
    assert steps == -(-(289 + 16) // 4)
    seen: list[int] = []

    class Spy(LineRecognizer):
        def _decode(self, shares: Any, edges: Any, length: int | None) -> Any:
            seen.append(len(shares))
            assert len(shares) == len(edges)
            return super()._decode(shares, edges, length)

    Spy(threads=1).read([strip])
    assert seen == [steps]


def test_a_text_with_so_many_digits_is_preferred(recognizer: LineRecognizer, mnist_5k: Dataset) -> None:
    """Two digits that touch may be one: the length decides, but only among what may stand there."""
    rng = np.random.default_rng(1)
    made = [
        strip_of([mnist_5k.test.images[i] for i in rng.integers(0, len(mnist_5k.test), 6)], apart=0) for _ in range(40)
    ]
    decided = 0
    for strip, free in zip(made, recognizer.read(made), strict=True):
        counts = {sum(c.isdigit() for c in text) for text, _ in free.texts}
        for length in range(1, 12):
            line = recognizer.read([strip], length)[0]
            assert {text for text, _ in line.texts} == {text for text, _ in free.texts}
            found = sum(c.isdigit() for c in line.text)
            assert (found == length) == (length in counts)
            if length not in counts:
                assert line.text == free.text
            else:
                of_this_length = [p for text, p in line.texts if sum(c.isdigit() for c in text) == length]
                assert line.texts[0][1] == max(of_this_length)
            assert len(line.characters) == len(line.text)
            decided += line.text != free.text
    assert decided > 10


def test_what_may_stand_in_a_place(recognizer: LineRecognizer, strips: tuple[list[Strip], list[str]]) -> None:
    made, _ = strips
    for line in recognizer.read(made):
        whole = line.readings(0, len(line.text))
        assert whole == pytest.approx(dict(line.texts))
        for place, character in enumerate(line.text):
            found = line.readings(place, place + 1)
            assert max(found, key=found.__getitem__) == character
            assert sum(found.values()) == pytest.approx(sum(whole.values()))


def test_it_names_itself_by_its_weights(recognizer: LineRecognizer) -> None:
    assert recognizer.path == bundled("lines.onnx")
    assert recognizer.name == f"line-ctc-{recognizer.card['run_sha256'][:8]}"
    assert recognizer.characters == "0123456789.,-/?x"


def test_it_needs_no_torch() -> None:
    code = (
        "import sys, numpy; from inkdigits.reader.line_recognizer import LineRecognizer;"
        "LineRecognizer().read([numpy.zeros((40, 100), numpy.uint8)]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_no_line_reader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model .*nowhere.onnx: No such file"):
        LineRecognizer(tmp_path / "nowhere.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match=r"text.onnx is no ONNX model that can be run here"):
        LineRecognizer(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match=r"digits.onnx is no line reader that inkdigits export wrote"):
        LineRecognizer(bundled("digits.onnx"))


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Write the bundled model with another card."""
    model = onnx.load(bundled("lines.onnx"))
    card = json.loads(model.metadata_props[0].value)
    answer = change(card)
    onnx.helper.set_model_props(model, {METADATA: answer if isinstance(answer, str) else json.dumps(card)})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda card: card.update(form=99), r"has form 99, not 1; export the run anew"),
        (lambda card: card.pop("form"), r"has form None, not 1; export the run anew"),
        (lambda card: "no JSON", r"is broken \(Expecting value.*\); export the run anew"),
        (lambda card: "[1]", r"is broken \(Expected `object`, got `array`\); export the run anew"),
        (lambda card: "[" * 100_000, r"is broken \(.*nested more than 100 deep\); export the run anew"),
        (lambda card: card.update(stride="x"), r"is broken \(Expected `int`, got `str` - at `\$\.stride`\)"),
        (lambda card: card.update(stride=0), r"is broken \(`stride` must be at least 1"),
        (lambda card: card.update(characters=7), r"is broken \(Expected `str`, got `int` - at `\$\.characters`\)"),
        (lambda card: card.update(characters="0" * 16), r"is broken \(`characters` has one twice"),
        (lambda card: card.update(characters="0123456789"), r"is broken \(.*than its 10 characters need\)"),
        (lambda card: card.update(ambiguous_below=float("nan")), r"is broken \(.*`ambiguous_below` within 0 to 1"),
        (
            lambda card: [card.pop("pad"), card.pop("stride")],
            r"is broken \(Object missing required field `(pad|stride)`\); export the run anew",
        ),
    ],
)
def test_a_card_that_is_missing_or_broken_is_said(
    change: Callable[[dict[str, Any]], Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=f"the card of .*lines.onnx {says}") as error:
        LineRecognizer(changed(tmp_path / "lines.onnx", change))
    assert "\n" not in str(error.value)


def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    model = onnx.load(bundled("lines.onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "lines.onnx")
    with pytest.raises(ModelError, match="is no line reader that inkdigits export wrote"):
        LineRecognizer(tmp_path / "lines.onnx")
