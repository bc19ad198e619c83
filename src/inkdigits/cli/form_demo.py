"""What `inkdigits form demo` writes: a form, its print, a class, scans and photos in no order, and their truth."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from inkdigits.cli.form_pile import make_pile
from inkdigits.errors import UsageError
from inkdigits.escape import csv_table
from inkdigits.files import atomic_path, write_json, write_text
from inkdigits.forms.design import parse_design
from inkdigits.forms.example import example
from inkdigits.forms.placement import place
from inkdigits.forms.printing import numbered, print_form
from inkdigits.synthetic.filled_forms import NeatWriter, PrintedPages

QUALITY = 85  # of the photos, as JPEG


def write_demo(folder: Path, copies: int, seed: int, progress: Callable[[], None]) -> Path:
    """Write a demonstration; return the folder of its scans.

    Raises
    ------
    UsageError
        When the folder has files already, or there are no copies or too many.
    """
    printed = numbered(copies)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; name another folder")
    text = example("exam")
    placement = place(parse_design(text))
    write_text(folder / "exam.toml", text)
    print_form(placement, printed, folder / "exam.pdf")
    rng = np.random.default_rng(seed)
    truth = []
    names = [f"{number:03}" for number in rng.permutation(copies) + 1]  # the pile is in no order
    with PrintedPages(folder / "exam.pdf") as pages:
        for name, sheet in zip(names, make_pile(placement, printed, pages.render, NeatWriter, seed), strict=True):
            path = folder / "scans" / (f"{name}.jpg" if sheet.how == "photo" else f"{name}.png")
            with atomic_path(path) as temporary:
                form = {"format": "JPEG", "quality": QUALITY} if sheet.how == "photo" else {"format": "PNG"}
                Image.fromarray(sheet.image).save(temporary, dpi=(sheet.dpi, sheet.dpi), **form)
            truth.append({"file": path.name, **sheet.truth()})
            progress()
    write_json(folder / "truth.json", sorted(truth, key=lambda one: str(one["file"])))
    students = [(one["answers"]["student"], f"Student {one['copy']}") for one in truth]
    write_text(folder / "class.csv", csv_table(("id", "name"), students))
    return folder / "scans"
