"""The command doctor: what is installed, and whether it reads."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inkdigits.cli.common import app, table
from inkdigits.errors import ModelError

PICTURE = "20746"  # what the built-in picture shows


@app.command("doctor")
def doctor() -> None:
    """List the installed packages and plug-ins, the models, the folder of the data sets, and the device of training.

    Also reads a built-in picture. The exit code is 1 if it is read wrongly.
    """
    import platform
    from importlib.metadata import version

    from inkdigits.data import data_folder
    from inkdigits.plugins import load_plugins, plugins
    from inkdigits.reader import Reader

    reader = Reader(threads=1)
    read = reader.read(_picture(), layout="line")
    rows: list[list[Any]] = [["inkdigits", version("inkdigits")], ["python", platform.python_version()]]
    rows += [["models", reader.name], [f"picture of {PICTURE}", f"{read.text or 'nothing'} is read"]]
    rows += [["cores", os.cpu_count()], ["data folder", data_folder()], ["data found", _found(data_folder())]]
    if find_spec("torch"):
        from inkdigits.training.device import select_device

        rows.append(["device of training", select_device().type])
    rows += [[f"plug-in {plugin}", plugin.status] for plugin in plugins()]
    table(["what", "value"], rows + _dependencies())
    load_plugins()  # one that --plugin names and that does not load is an error here too
    if read.text != PICTURE:
        raise ModelError("the built-in picture is read wrongly; install inkdigits again")


def _picture() -> Any:
    """Return a picture uint8 (H, W) of digits in strokes, ink dark."""
    import cv2
    import numpy as np

    page = np.full((110, 330), 255, np.uint8)
    return cv2.putText(page, PICTURE, (25, 80), cv2.FONT_HERSHEY_SIMPLEX, 2.4, 20, 5, cv2.LINE_AA)


def _found(folder: Path) -> str:
    """Return the names in the folder of the data sets."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return ", ".join(names) or "nothing"


def _dependencies() -> list[list[Any]]:
    """Return name and version of every package that inkdigits or one of its extras needs."""
    from importlib.metadata import PackageNotFoundError, requires, version

    found: dict[str, str] = {}
    for requirement in requires("inkdigits") or []:
        name = re.split(r"[\s\[<>=!~;]", requirement)[0]
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return [[name, version] for name, version in found.items()]
