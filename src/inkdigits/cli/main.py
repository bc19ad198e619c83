"""The command itself: what goes wrong becomes one line and an exit code."""

import atexit
import gc
import os
import sys
from importlib.util import find_spec
from typing import Any, NoReturn

import typer

from inkdigits.cli import comparing, data, explaining, exporting, reading, serving, training  # noqa: F401  they join the app
from inkdigits.cli.common import app, table
from inkdigits.errors import InkdigitsError
from inkdigits.progress import say

LAB = {
    "torch",
    "onnx",
    "onnxscript",
    "scipy",
    "skimage",
    "sklearn",
    "matplotlib",
    "safetensors",
    "mlxtend",
    "jinja2",
    "torch_geometric",
}


@app.command("doctor")
def doctor() -> None:
    """Say what is installed, where data is looked for, and what the work would run on."""
    import platform
    from importlib.metadata import PackageNotFoundError, requires, version

    from inkdigits.data import data_folder

    rows: list[list[Any]] = [["inkdigits", version("inkdigits")], ["python", platform.python_version()]]
    for requirement in requires("inkdigits") or []:
        name = requirement.split(">")[0].split(";")[0].strip()
        try:
            rows.append([name, version(name)])
        except PackageNotFoundError:
            rows.append([name, "not installed"])
    rows += [["cores", os.cpu_count()], ["data folder", data_folder()]]
    if find_spec("torch"):
        from inkdigits.training.device import select_device

        rows.append(["device", select_device().type])
    table(["what", "value"], rows)


def main() -> NoReturn:
    """Run the command; turn what went wrong into one line and an exit code."""
    # PyTorch brings objects by the hundred thousand that stay; to search them for garbage, at exit too, takes a second
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    command = typer.main.get_command(app)
    try:
        code = command.main([a for a in arguments if a != "--debug"], prog_name="inkdigits", standalone_mode=False)
    except InkdigitsError as error:
        _fail(str(error), error.exit_code, debug)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in LAB:
            raise
        _fail(f"this needs {error.name}: pip install 'inkdigits[lab]'", 1, debug)
    except typer.TyperException as error:
        if not error.format_message():  # the help has been shown
            sys.exit(2)
        _fail(f"{error.format_message().rstrip('.')}; see inkdigits --help", 2, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        raise
    say(f"inkdigits: {' '.join(message.split())}")
    sys.exit(code)
