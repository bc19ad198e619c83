"""JSON that is read back: each fault is one line that says where."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from inkdigits.errors import RunError
from inkdigits.files import DEEPEST, from_json, read_bytes, read_json


@dataclass(frozen=True)
class Inner:
    share: float

    def __post_init__(self) -> None:
        if not self.share >= 0:
            raise ValueError("`share` is 0 or more")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: list[Inner]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": 5, "inner": []}', r"Expected `str`, got `int` - at `\$\.name`"),
        ('{"name": "a"}', "missing required field `inner`"),
        ('{"name": "a", "inner": null}', r"Expected `array`, got `null` - at `\$\.inner`"),
        ('{"name": "a", "inner": [{"share": "x"}]}', r"Expected `float`, got `str` - at `\$\.inner\[0\]\.share`"),
        ('{"name": "a", "inner": [{"share": true}]}', "got `bool`"),
        ('{"name": "a", "inner": [{"share": -1}]}', "`share` is 0 or more"),
        ("[]", "Expected `object`, got `array`"),
        ("[" * 100_000, "nested more than 100 deep"),
        ('{"a": ' * 100_000, "nested more than 100 deep"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
        ('{"name": "a", "inner": [{"share": 1' + "0" * 5000 + "}]}", "limit"),
        ("{", "Expecting"),
        (b"\xff\xfe\x00", "codec can't decode"),
    ],
)
def test_json_that_does_not_fit_its_schema_is_one_line(text: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        from_json(text, Outer)
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError, match=says) as caught:
        read_json(path, Outer)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_numbers_and_further_keys_are_ignored() -> None:
    found = from_json('{"name": "a", "inner": [{"share": 1, "more": [[]]}], "other": null}', Outer)
    assert found == Outer("a", [Inner(1.0)])
    assert math.isnan(from_json("[NaN]", list[float])[0])
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert from_json(deep, list[object])


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(RunError, match=f"cannot read {path}: it is a folder, a pipe or a device"):
            read_json(path, dict[str, object])
        with pytest.raises(OSError, match="a pipe or a device"):
            read_bytes(path)
