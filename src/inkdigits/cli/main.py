"""The command itself: every error becomes one line and an exit code."""

import atexit
import gc
import os
import sys
from typing import NoReturn

import typer

from inkdigits.cli import (  # noqa: F401  they join the app
    bulk,
    calibrating,
    checking,
    comparing,
    data,
    explaining,
    exporting,
    finetuning,
    form_gradebook,
    form_reading,
    forms,
    reading,
    reviewing,
    serving,
    training,
)
from inkdigits.cli.common import app
from inkdigits.errors import InkdigitsError, UsageError
from inkdigits.progress import say

LAB = {  # modules that the extra "lab" installs
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
FORMS = {"reportlab", "font_roboto", "openpyxl", "zxingcpp"}  # modules that the extra "forms" installs


def global_options_first(arguments: list[str]) -> list[str]:
    """Return the arguments with every ``--plugin MODULE`` before the command's name, as typer expects them.

    Raises
    ------
    UsageError
        When ``--plugin`` is the last argument.
    """
    first: list[str] = []
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            others += [word, *words]
        elif word == "--plugin":
            module = next(words, None)
            if module is None:
                raise UsageError("--plugin takes the name of a module, such as my_package.digits")
            first += [word, module]
        else:
            (first if word.startswith("--plugin=") else others).append(word)
    return first + others


def main() -> NoReturn:
    """Run the command; an error becomes one line and an exit code."""
    # PyTorch creates some 100,000 objects that stay. Searching them for garbage, at exit too, takes a second.
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = "--debug" in sys.argv
    command = typer.main.get_command(app)
    try:
        code = command.main(global_options_first(arguments), prog_name="inkdigits", standalone_mode=False)
    except InkdigitsError as error:
        _fail(str(error), error.exit_code, debug)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in LAB | FORMS:
            raise
        extra = "forms" if missing in FORMS else "lab"
        _fail(f"this needs {error.name}: pip install 'inkdigits[{extra}]'", 1, debug)
    except typer.TyperException as error:
        if not error.format_message():  # the help was shown
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
