"""Label Studio: readings as predictions that people correct there, and their annotations as labels.

The names are those of its template for optical character recognition: the picture is ``ocr``, a region has the parts
``bbox`` (its rectangle), ``label`` and ``transcription`` (its text), which share an id. Places are in percent.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from inkdigits.reader.results import Line, Reading

LABEL = "Handwriting"
UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # before the name of a file that was uploaded there
PICTURES = ("ocr", "image", "captioning")  # keys of the picture in the templates


def task_of(reading: Reading) -> dict[str, Any]:
    """Return a task with the numbers of a page as its prediction; the score is that of the least sure number.

    The picture is named as Label Studio serves local files: with LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT as the folder
    that the path is relative to.
    """
    lines = [line for line in reading.lines if not line.is_blank]
    result = [part for line in lines for part in _region(line, reading)]
    score = min((line.confidence for line in lines), default=0.0)
    prediction = {"model_version": reading.model, "score": round(score, 4), "result": result}
    return {"data": {"ocr": f"/data/local-files/?d={reading.source}"}, "predictions": [prediction]}


def _region(line: Line, reading: Reading) -> Iterator[dict[str, Any]]:
    width, height = reading.size
    left, top, wide, tall = line.box
    place = {
        "x": 100 * left / width,
        "y": 100 * top / height,
        "width": 100 * wide / width,
        "height": 100 * tall / height,
        "rotation": 0,
    }
    identity = hashlib.sha256(f"{reading.source}:{reading.page}:{line.box}".encode()).hexdigest()[:10]
    shared = {"id": identity, "to_name": "image", "original_width": width, "original_height": height}
    yield shared | {"from_name": "bbox", "type": "rectangle", "value": place}
    yield shared | {"from_name": "label", "type": "labels", "value": place | {"labels": [LABEL]}}
    text = {"from_name": "transcription", "type": "textarea", "value": place | {"text": [line.text]}}
    yield shared | text | {"score": round(line.confidence, 4)}


def is_export(content: Any) -> bool:
    """Return whether JSON that was read is an export of tasks with annotations."""
    return (
        isinstance(content, list) and bool(content) and all(isinstance(one, dict) and "data" in one for one in content)
    )


def annotated_numbers(tasks: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the texts that people wrote, by the name of the picture, in the order of the regions down the page.

    Of a task, the last annotation counts that was not cancelled; a task without one is left out.

    Raises
    ------
    KeyError, TypeError, ValueError
        When it is no export.
    """
    found = {}
    for task in tasks:
        kept = [one for one in task.get("annotations", ()) if not one.get("was_cancelled")]
        if kept:
            regions = [part for part in kept[-1]["result"] if part["type"] == "textarea"]
            found[_file(task["data"])] = tuple("\n".join(part["value"]["text"]) for part in _in_order(regions))
    return found


def _in_order(regions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return regions line by line from the top, each from the left; those without a place as they stand."""
    if any("y" not in part["value"] for part in regions):
        return list(regions)
    rest = sorted(regions, key=lambda part: float(part["value"]["y"]))
    out: list[Mapping[str, Any]] = []
    while rest:
        first = rest[0]["value"]
        line = [part for part in rest if part["value"]["y"] < first["y"] + first["height"] / 2]
        rest = rest[len(line) :]
        out += sorted(line, key=lambda part: float(part["value"]["x"]))
    return out


def _file(data: Mapping[str, Any]) -> str:
    """Return the path of a picture: of a local file as it was named, of an uploaded one its own name."""
    address = next(str(data[key]) for key in (*PICTURES, *data) if key in data)
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0]
    return UPLOADED.sub("", unquote(parts.path).rsplit("/", 1)[-1])
