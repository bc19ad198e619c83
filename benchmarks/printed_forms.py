"""How surely the marks and the code of a printed form are found again: printed, filled, degraded, sought by OpenCV.

python benchmarks/printed_forms.py [--sheets N] [--dpi N] [--photos SHARE] [--seed N]

Writes benchmarks/printed_forms.json. The writing is drawn, so no data set is needed.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
from numpy.typing import NDArray

from inkdigits.cli.form_pile import Pile, make_pile
from inkdigits.evaluation.statistics import wilson
from inkdigits.files import write_json
from inkdigits.forms.design import parse_design
from inkdigits.forms.example import example
from inkdigits.forms.pages import MARK_DICTIONARY, MARK_IDS
from inkdigits.forms.payload import Payload, decode
from inkdigits.forms.placement import place
from inkdigits.forms.printing import numbered, print_form
from inkdigits.synthetic.filled_forms import NeatWriter

HERE = Path(__file__).parent


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheets", type=int, default=200)
    parser.add_argument("--dpi", type=int, default=150)
    parser.add_argument("--photos", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    placement = place(parse_design(example("exam")))
    copies = numbered(options.sheets)
    with tempfile.TemporaryDirectory() as folder:
        print_form(placement, copies, Path(folder) / "form.pdf")
        document = pypdfium2.PdfDocument(Path(folder) / "form.pdf")

        def blank(page: int, dpi: int) -> NDArray[np.uint8]:
            return document[page].render(scale=dpi / 72, grayscale=True).to_numpy().squeeze().copy()

        pile = Pile(photos=options.photos, dpi=(options.dpi, options.dpi))
        found = [
            look(sheet.image, placement.payload(sheet.page, sheet.copy))
            for sheet in make_pile(placement, copies, blank, NeatWriter, options.seed, pile)
        ]
        document.close()
    figures = {**vars(options), **summary(found), "opencv": cv2.__version__}
    print(figures)
    write_json(HERE / "printed_forms.json", figures)


def look(image: NDArray[np.uint8], payload: Payload) -> tuple[int, bool]:
    """Return the number of corner marks that are found, and whether the code says what it should."""
    grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, MARK_DICTIONARY))
    _, ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(grey)
    marks = set() if ids is None else set(ids.ravel().tolist()) & set(MARK_IDS)
    return len(marks), any(read(grey, scale) == payload for scale in (1, 2))


def read(grey: NDArray[np.uint8], scale: int) -> Payload | None:
    """Return what the QR code says, looked for in an enlarged picture."""
    large = grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    text, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(large)
    return decode(text)


def summary(found: list[tuple[int, bool]]) -> dict[str, object]:
    """Return shares with their Wilson intervals."""
    counts = {
        "four_marks": sum(marks == len(MARK_IDS) for marks, _ in found),
        "three_marks": sum(marks >= 3 for marks, _ in found),
        "code": sum(code for _, code in found),
        "all_marks_and_code": sum(code and marks == len(MARK_IDS) for marks, code in found),
        "registered": sum(code and marks >= 3 for marks, code in found),
    }
    return {key: {"count": count, "interval": wilson(count, len(found))} for key, count in counts.items()}


if __name__ == "__main__":
    main()
