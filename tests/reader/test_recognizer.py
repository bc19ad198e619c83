import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from inkdigits.data import Dataset, load
from inkdigits.errors import DataError, ModelError
from inkdigits.reader import Recognizer
from inkdigits.reader.glyphs import GlyphReader, blank_glyph
from inkdigits.reader.line_recognizer import LineRecognizer
from inkdigits.reader.recognizer import bundled
from inkdigits.synthetic.unseen_outliers import Sources, make_unseen_outliers, matplotlib_fonts


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


def enlarged(image: np.ndarray, times: int = 4) -> np.ndarray:
    """A digit as dark ink on light paper, larger, in a wide margin."""
    return 235 - np.pad(np.kron(image, np.ones((times, times), np.uint8)), 30) // 2


def test_the_bundled_model_reads_mnist(recognizer: Recognizer, mnist_folder: Path) -> None:
    test = load("mnist").test
    predictions = recognizer.predict(test.images)
    outputs = recognizer.run(test.images)
    assert (outputs.probabilities.argmax(1) == test.labels).mean() >= 0.995
    assert np.mean([p.reject is None for p in predictions]) >= 0.99
    likelihood = outputs.probabilities[np.arange(len(test)), test.labels]
    assert -np.log(likelihood).mean() <= 0.015


def test_it_reads_digits_by_other_writers(recognizer: Recognizer) -> None:
    others = load("uci-digits")
    images, labels = (
        np.concatenate([getattr(p, k) for p in (others.train, others.test)]) for k in ("images", "labels")
    )
    assert (recognizer.run(images).probabilities.argmax(1) == labels).mean() >= 0.96


def test_it_refuses_what_is_no_digit(recognizer: Recognizer, mnist_5k: Dataset) -> None:
    sources = Sources(mnist_5k.test.images, matplotlib_fonts())
    for kind, least in (("noise", 0.95), ("texture", 0.9), ("shape", 0.6), ("letter", 0.95), ("two_digits", 0.9)):
        rejected = [p.reject for p in recognizer.predict(make_unseen_outliers(kind, 200, sources))]
        assert np.mean([reason is not None for reason in rejected]) >= least, kind


def test_a_crop_of_any_size_and_colour_is_read(recognizer: Recognizer, mnist_5k: Dataset) -> None:
    some = range(0, 1000, 50)
    crops = [enlarged(mnist_5k.test.images[i]) for i in some]
    coloured = [np.stack([crop, crop, crop // 2], 2) for crop in crops]
    labels = [int(mnist_5k.test.labels[i]) for i in some]
    for shown in (crops, coloured, [255 - crop for crop in crops]):
        read = [p.digit for p in recognizer.read_crops(shown)]
        assert sum(a == b for a, b in zip(read, labels, strict=True)) >= 19


def test_reasons(recognizer: Recognizer, mnist_5k: Dataset) -> None:
    paper = np.full((40, 30), 230, np.uint8)
    speck = paper.copy()
    speck[20:22, 10:13] = 0
    faint = paper.copy()
    faint[10:30, 14:16] = 220
    read = recognizer.read_crops([paper, faint, speck, np.zeros((1, 1), np.uint8), enlarged(mnist_5k.test.images[0])])
    assert [p.reject for p in read] == ["blank", "blank", "too_small", "blank", None]
    assert all(p.digit is None and p.confidence == 0 and p.refusal is None for p in read[:4])
    (nothing,) = recognizer.predict(np.zeros((1, 28, 28), np.uint8))
    assert nothing.reject == "blank"
    both = np.maximum(mnist_5k.test.images[0], mnist_5k.test.images[-1])
    (doubtful,) = recognizer.predict(both[None])
    assert doubtful.reject in ("not_a_digit", "ambiguous") or doubtful.confidence < 0.999


def test_one_by_one_is_as_all_together(recognizer: Recognizer, mnist_5k: Dataset) -> None:
    images = mnist_5k.test.images[:50]
    together = recognizer.run(images).logits
    alone = np.concatenate([recognizer.run(image[None]).logits for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_pixels_that_cannot_be_are_refused(recognizer: Recognizer) -> None:
    with pytest.raises(DataError, match=r"uint8 \(N, 28, 28\), not float32 \(1, 28, 28\)"):
        recognizer.run(np.zeros((1, 28, 28), np.float32))
    with pytest.raises(DataError, match="NaN"):
        recognizer.read_crops([np.full((20, 20), np.nan)])
    with pytest.raises(DataError, match=r"shape \(2, 3, 4, 5\)"):
        recognizer.read_crops([np.zeros((2, 3, 4, 5))])
    assert recognizer.read_crops([]) == []


def test_it_needs_no_torch() -> None:
    code = (
        "import sys, numpy; sys.modules['torch'] = None; from inkdigits import Recognizer; "
        "print(Recognizer().read_crops([numpy.full((9, 9), 255, numpy.uint8)])[0].reject, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["blank", "False"]


def test_another_models_file_is_refused(tmp_path: Path, recognizer: Recognizer) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model .*none.onnx"):
        Recognizer(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match=r"text.onnx is no ONNX model"):
        Recognizer(tmp_path / "text.onnx")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(
        helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), tmp_path / "other.onnx"
    )
    with pytest.raises(ModelError, match=r"other.onnx .*not one that inkdigits export wrote"):
        Recognizer(tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.update(form=99), "form 99, not 2"),
        (lambda card: card.pop("form"), "form None, not 2"),
        (lambda card: card.pop("temperature"), "missing required field `temperature`"),
        (lambda card: card.update(temperature=0), "`temperature` must be a positive number"),
        (lambda card: card.update(temperature=float("nan")), "`temperature` must be a positive number"),
        (lambda card: card.update(refusal={"anchor": "high"}), r"at `\$\.refusal"),
        (lambda card: card.update(refusal=card["refusal"] | {"threshold": float("inf")}), "must be finite"),
        (lambda card: card.update(refusal=card["refusal"] | {"outlier_exposure": "no"}), "Expected `bool`, got `str`"),
        (lambda card: card.pop("refusal"), "missing required field `refusal`"),
        (lambda card: card.update(model=5), r"Expected `str`, got `int` - at `\$\.model`"),
        (lambda card: card.update(data=[]), r"Expected `object`, got `array` - at `\$\.data`"),
        (lambda card: "[1]", "Expected `object`, got `array`"),
        (lambda card: "no JSON", "Expecting value"),
        (lambda card: "[" * 100_000, "nested more than 100 deep"),
        (lambda card: json.dumps(card)[:-1] + ', "more": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested more"),
    ],
)
def test_a_card_that_is_broken_is_one_line(change, message: str, tmp_path: Path, recognizer: Recognizer) -> None:
    model, card = onnx.load(bundled()), dict(recognizer.card)
    del model.metadata_props[:]
    answer = change(card)
    helper.set_model_props(model, {"inkdigits": answer if isinstance(answer, str) else json.dumps(card)})
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ModelError, match=rf"the card of .*changed\.onnx .*{message}.*; export the run anew") as caught:
        Recognizer(tmp_path / "changed.onnx")
    assert len(str(caught.value).splitlines()) == 1


def test_a_card_that_is_missing_is_said(tmp_path: Path) -> None:
    model = onnx.load(bundled())
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ModelError, match="lacks its card"):
        Recognizer(tmp_path / "changed.onnx")


@pytest.mark.parametrize(("classes", "refusal"), [(11, 1), (10, 2)])
def test_a_model_with_outputs_of_another_size_is_refused(
    classes: int, refusal: int, tmp_path: Path, recognizer: Recognizer
) -> None:
    """A graph with the right names, whose first pixels are its answers."""
    nodes = [helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Flatten", ["floats"], ["flat"])]  # (N, 784)
    nodes += [helper.make_node("Slice", ["flat", "zero", "classes", "axis"], [n]) for n in ("logits", "probabilities")]
    nodes += [helper.make_node("Slice", ["flat", "zero", "score", "axis"], ["refusal"])]
    values = {"zero": 0, "axis": 1, "classes": classes, "score": refusal}
    constants = [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in values.items()]
    shapes = {"logits": ["N", classes], "probabilities": ["N", classes], "refusal": ["N", refusal]}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    given = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 28, 28])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [given], outputs, constants),
        ir_version=10,
        opset_imports=[helper.make_opsetid("", 20)],
    )
    helper.set_model_props(model, {"inkdigits": json.dumps(recognizer.card)})
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"other\.onnx .*its inputs or outputs are others"):
        Recognizer(tmp_path / "other.onnx")


def test_a_pipe_in_place_of_a_model_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match=r"cannot read the model .*pipe\.onnx: .*a pipe or a device"):
        Recognizer(tmp_path / "pipe.onnx")


def test_a_graph_that_takes_something_else_is_refused(tmp_path: Path) -> None:
    model = onnx.load(bundled())
    model.graph.input[0].name = "pictures"
    for node in model.graph.node:
        node.input[:] = ["pictures" if name == "images" else name for name in node.input]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(
        ModelError, match=r"other.onnx is an ONNX model, but not one .*: its inputs or outputs are others"
    ):
        Recognizer(tmp_path / "other.onnx")


def test_the_bundled_files_are_small_and_as_their_checksums_say() -> None:
    import hashlib

    sums = dict(line.split()[::-1] for line in bundled("SHA256SUMS").read_text().splitlines())
    assert {"digits.onnx", "digits.int8.onnx"} <= set(sums)
    for name, sha256 in sums.items():
        assert hashlib.sha256(bundled(name).read_bytes()).hexdigest() == sha256
    assert bundled().stat().st_size <= 1_200_000


def test_a_glyph_reader_has_no_opinion_on_what_is_refused(recognizer: Recognizer, mnist_5k: Dataset) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (28, 28)).astype(np.uint8)
    first, second = GlyphReader(recognizer, LineRecognizer()).opinions([mnist_5k.test.images[0], noise])
    assert first is not None
    assert first.argmax() == mnist_5k.test.labels[0]
    assert second is None


def test_a_blank_box_is_surely_blank() -> None:
    glyph = blank_glyph((1, 2, 3, 4))
    assert (glyph.box, glyph.probability, glyph.reject) == ((1, 2, 3, 4), 1.0, "blank")
    assert glyph.probabilities.tolist() == [0.0] * 10
