"""Calibration on a user's own pages: labels, judgement, proof, and what read and predict do with it."""

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.errors import DataError, UsageError
from inkdigits.reader.calibration import Judged, calibrate, judge, load_calibration
from inkdigits.reader.page_labels import find_labels, read_labels
from inkdigits.reader.results import Digit, Line, Reading
from inkdigits.reader.roster import read_roster

Run = Callable[..., tuple[int, str, str]]
CROPS = 60


def place(character: str, confidence: float) -> Digit:
    reject = {"?": "ambiguous", " ": "blank"}.get(character)
    return Digit(None if reject else int(character), confidence, (0, 0, 9, 9), reject=reject)


def reading(*numbers: str, confidence: float = 0.99) -> Reading:
    lines = [Line(tuple(place(c, confidence) for c in number), (0, 0, 9, 9)) for number in numbers]
    return Reading("a.png", 0, "model", tuple(lines))


@pytest.mark.parametrize(
    ("read", "written", "wrong", "lost"),
    [
        (("12", "34"), ("12", "34"), [False, False], 0),
        (("12", "35"), ("12", "34"), [False, True], 0),
        (("12", "7", "34"), ("1.2", "34"), [False, True, False], 0),  # one invented
        (("34",), ("12", "34", "56"), [False], 2),
        ((), ("12",), [], 1),
        (("1?",), ("12",), [True], 0),
        (("12  ",), ("12_x",), [False], 0),  # blank boxes
    ],
)
def test_numbers_are_paired_in_reading_order(
    read: tuple[str, ...], written: tuple[str, ...], wrong: list[bool], lost: int
) -> None:
    judged = judge(reading(*read), written)
    assert ([flag for _, flag in judged.numbers], judged.lost) == (wrong, lost)


def test_labels_are_read_in_every_form(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    forms = {
        "labels.json": json.dumps([{"file": "a.png", "lines": ["12", "3.4"]}, {"file": "b.png", "text": "5"}]),
        "cells.json": json.dumps([{"file": "a.png", "cells": [["12"], ["3.4"]]}, {"file": "b.png", "numbers": [5]}]),
        "map.json": json.dumps({"a.png": ["12", "3.4"], "b.png": "5"}),
        "labels.csv": 'file,number\na.png,12\na.png, "3.4"\nb.png,5\n',
        "bare.csv": 'a.png,"12"\na.png,3.4\n\nb.png,5\n',
    }
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        labels = read_labels(tmp_path / name, tmp_path)
        assert labels.numbers == {tmp_path / "a.png": ("12", "3.4"), tmp_path / "b.png": ("5",)}, name
    assert find_labels(tmp_path) == tmp_path / "labels.json"


def test_names_that_a_table_guarded_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "=1.png").touch()
    (tmp_path / "labels.csv").write_text("file,number\n'=1.png,12\n")
    assert read_labels(tmp_path / "labels.csv", tmp_path).numbers == {tmp_path / "=1.png": ("12",)}


def test_a_pipe_or_nested_json_in_place_of_labels_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    for name in ("pipe.csv", "deep.json"):
        with pytest.raises(DataError, match=f"cannot read the labels .*{name}"):
            read_labels(tmp_path / name, tmp_path)
        with pytest.raises(DataError, match=f"{name} is no calibration"):
            load_calibration(tmp_path / name)
        with pytest.raises(DataError, match=f"the roster .*{name}"):
            read_roster(tmp_path / name)


def test_a_finished_review_corrects_the_reading(tmp_path: Path) -> None:
    page = tmp_path / "a.png"
    page.touch()
    (tmp_path / "corrections.csv").write_text(
        "source,page,line,place,left,top,width,height,guess,truth\n"
        f'"{page}",0,0,1,0,0,9,9,2,7\n"{page}",0,1,0,0,0,9,9,3,\n'
    )
    labels = read_labels(tmp_path / "corrections.csv", tmp_path)
    assert labels.of(page, reading("12", "34")) == ["17", "4"]
    with pytest.raises(DataError, match="of another reading"):
        labels.of(page, reading("12"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"cannot read the labels .* \(JSONDecodeError\); give a list of .*file"),
        ('[{"file": "a.png"}]', "cannot read the labels"),
        ("[]", "labels no page"),
        ('{"gone.png": "1"}', "names .*gone.png, which does not exist"),
    ],
)
def test_broken_labels_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "labels.json", tmp_path)


def judged_pages(count: int, wrong: int) -> list[Judged]:
    return [Judged(((1 - index / 1000, index >= count - wrong),)) for index in range(count)]


def test_too_few_pages_say_how_many_could() -> None:
    with pytest.raises(UsageError, match=r"40 pages cannot show 1 %.*299 sure ones.*about \d+ could"):
        calibrate(judged_pages(40, 0), "pages", "m", None, 0.01)
    with pytest.raises(UsageError, match="of the surest quarter of the 400 numbers, 1e\\+02 % are wrong; allow more"):
        calibrate(judged_pages(400, 400), "pages", "m", None, 0.01)
    with pytest.raises(UsageError, match="no number was read"):
        calibrate([Judged(())], "pages", "m", None, 0.01)


def test_a_calibration_is_kept_whole_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    found = calibrate(judged_pages(400, 20), "pages", "m", None, 0.05)
    assert (found.pages, found.numbers, found.lost, found.wrong) == (400, 400, 0, 0)
    assert 0.5 < found.coverage <= 1
    found.save(path)
    assert load_calibration(path) == found
    assert found.unlike([0.99, 0.8, 0.7]) is None
    assert found.unlike([0.1] * 50) is not None
    facts = json.loads(path.read_text())
    for broken in (
        {**facts, "form": 9},
        {**facts, "threshold": 3},
        {**facts, "more": 1},
        [1],
        {**facts, "quantiles": 0},
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(DataError, match=r"c.json is no calibration"):
            load_calibration(path)


@pytest.fixture(scope="module")
def crops(mnist_5k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of test digits with labels."""
    folder = tmp_path_factory.mktemp("crops")
    rows = [["file", "label"]]
    for index, (image, label) in enumerate(
        zip(mnist_5k.test.images[:CROPS], mnist_5k.test.labels[:CROPS], strict=True)
    ):
        Image.fromarray(255 - np.pad(image, 6)).save(folder / f"{index}.png")
        rows.append([f"{index}.png", str(label)])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def test_calibrate_proves_a_bound_that_predict_uses(crops: Path, tmp_path: Path, run_cli: Run) -> None:
    out = tmp_path / "c.json"
    code, text, err = run_cli("calibrate", crops, "--crops", "--max-error", "10%", "--out", out)
    assert code == 0, err
    assert "at most 10 % wrong, with 95 % certainty, on crops like these 60" in text
    threshold = json.loads(out.read_text())["threshold"]
    code, text, err = run_cli("predict", crops, "--calibration", out, "--format", "json")
    rows = json.loads(text)
    assert all((row["digit"] is None) == (row["confidence"] < threshold) for row in rows if row["confidence"])
    assert f"of {CROPS} accepted; at most 10 % of those are wrong" in err
    assert "warning" not in err
    code, _, err = run_cli("read", crops / "0.png", "--calibration", out)
    assert (code, "was made on crops, not on pages; calibrate anew" in err) == (2, True)
    code, _, err = run_cli("calibrate", crops, "--crops", "--max-error", "1%", "--out", tmp_path / "d.json")
    assert (code, "60 crops cannot show 1 %" in err, (tmp_path / "d.json").exists()) == (2, True, False)


def test_calibrate_reads_pages_and_read_holds_to_their_settings(crops: Path, tmp_path: Path, run_cli: Run) -> None:
    out = tmp_path / "c.json"
    code, text, err = run_cli("calibrate", crops, "--max-error", "30%", "--length", "1", "--out", out)
    assert code == 0, err
    assert "on pages like these 60" in text
    pages = [crops / f"{index}.png" for index in range(5)]
    code, text, err = run_cli("read", *pages, "--length", "1", "--calibration", out)
    assert (code, "accepted; at most 30 % of those are wrong" in err) == (0, True), err
    code, _, err = run_cli("read", *pages, "--calibration", out)
    assert (code, "was made with length 1, not None" in err) == (2, True)
    facts = json.loads(out.read_text())
    out.write_text(json.dumps({**facts, "threshold": 1.0, "quantiles": [0.2, 0.3, 0.3, 0.4] * 10}))
    code, text, err = run_cli("read", *pages, "--length", "1", "--calibration", out, "--strict")
    assert (code, text.count("\tdoubtful\n") >= 4, "are unlike those of" in err) == (3, True, True)
    out.write_text(json.dumps({**facts, "model": "another"}))
    code, _, err = run_cli("read", *pages, "--length", "1", "--calibration", out)
    assert (code, "was made for the model another" in err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("nowhere", "--max-error", "1%"), "nowhere is no folder"),
        ((".", "--max-error", "1%"), "holds neither labels.json nor labels.csv"),
        ((".", "--max-error", "0"), "--max-error must be above 0"),
        ((".", "--max-error", "2"), "--max-error must be above 0"),
        ((".", "--max-error", "1%", "--certainty", "many"), "--certainty is a share"),
        ((".", "--max-error", "1%", "--out", "."), "is a folder; name a file"),
        ((".", "--max-error", "1%", "--labels", "gone.csv"), "gone.csv do not exist"),
    ],
)
def test_a_wrong_call_of_calibrate_is_one_line(
    options: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run_cli("calibrate", *options)
    assert (code, message in err, err.count("\n")) == (2, True, 1), err


def test_numbers_that_were_lost_stand_against_the_bound() -> None:
    pages = judged_pages(200, 0)
    assert calibrate(pages, "pages", "m", None, 0.05).lost == 0
    with pytest.raises(UsageError, match="20 of them lost without a trace"):
        calibrate([*pages, *[Judged((), lost=1)] * 20], "pages", "m", None, 0.05)


def test_more_errors_ask_for_more_pages() -> None:
    asked = []
    for wrong in (0, 3):
        with pytest.raises(UsageError, match=r"about \d+ could") as caught:
            calibrate(judged_pages(280, wrong), "pages", "m", None, 0.01)
        asked.append(int(re.search(r"about (\d+) could", str(caught.value))[1]))  # type: ignore[index]
    assert asked[1] > 1.5 * asked[0]
