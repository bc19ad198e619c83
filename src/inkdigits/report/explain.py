"""Files of the explanation of one digit: the arrays as JSON, the figures as PNG and an animated GIF."""

import json
from collections.abc import Callable
from pathlib import Path

from inkdigits.evaluation.connectivity import Connectivity
from inkdigits.files import locked, write_bytes, write_text
from inkdigits.report.figures.plotting import png
from inkdigits.report.graph_figures import connectivity_figure, importance_figure, messages_figure, messages_gif


def write_explanation(found: Connectivity, folder: Path) -> list[Path]:
    """Write connectivity.json, connectivity.png, importance.png, messages.png and messages.gif; return their paths.

    Raises
    ------
    RunError
        When the folder is in use by another process, or cannot be written.
    """
    with locked(folder):
        return _write_files(found, folder)


def _write_files(found: Connectivity, folder: Path) -> list[Path]:
    written = [folder / "connectivity.json"]
    write_text(written[0], json.dumps(found.to_dict()) + "\n")
    pictures: dict[str, Callable[[], bytes]] = {
        "connectivity.png": lambda: png(connectivity_figure(found)),
        "importance.png": lambda: png(importance_figure(found)),
        "messages.png": lambda: png(messages_figure(found)),
        "messages.gif": lambda: messages_gif(found),
    }
    for name, draw in pictures.items():
        written.append(folder / name)
        write_bytes(written[-1], draw())
    return written
