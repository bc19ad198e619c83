"""Where `inkdigits read --annotate` draws: one picture, or a folder with a picture for each page."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inkdigits.errors import UsageError
from inkdigits.files import atomic_path, locked
from inkdigits.progress import say

if TYPE_CHECKING:
    from inkdigits.reader import Reading

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}  # of a single picture, by its suffix
QUALITY = 95  # of a JPEG


class AnnotatedPages:
    """The pictures of the pages of several files.

    Parameters
    ----------
    target
        A .png or .jpg for one file, whose second page is drawn beside it; else a folder. In a folder, each picture
        has the name of its file, and the place that the file has in the folder that all files share. A picture that
        is there already, from an earlier command too, is kept: the new one gets a number.
    files
        The files that are read.

    Raises
    ------
    UsageError
        When ``target`` is a single picture for several files or in another format, one of the files, or another file.
    """

    def __init__(self, target: Path, files: Sequence[Path]) -> None:
        from inkdigits.imaging.files import PAGE_SUFFIXES

        self._single = target.suffix.lower() in PAGE_SUFFIXES and not target.is_dir()
        _require_target(target, files, self._single)
        there = [file for file in files if file.exists()]  # a wrong name changes no place
        self._bases = dict.fromkeys(there, target) if self._single else _bases(target, there)

    def draw(self, file: Path, reading: "Reading") -> Path:
        """Draw one page of ``file``; return the path of the picture."""
        base = self._bases[file]
        wanted = base.with_name(f"{base.stem}-{reading.page + 1}{base.suffix}") if reading.page else base
        if self._single and not reading.page:  # the picture that the user named
            return _save(reading, wanted)
        with locked(wanted.parent):  # until it is written, no other process may take the same name
            path = _free(wanted)
            if path != wanted:
                say(f"{file}: {wanted} is there already; drawn in {path.name}")
            return _save(reading, path)


def _save(reading: "Reading", path: Path) -> Path:
    with atomic_path(path) as temporary:
        reading.annotated().save(temporary, FORMATS[path.suffix.lower()], quality=QUALITY)
    return path


def _require_target(target: Path, files: Sequence[Path], single: bool) -> None:
    if not single:
        if target.exists() and not target.is_dir():
            raise UsageError(f"--annotate {target} is neither a .png, a .jpg nor a folder")
        return
    if target.suffix.lower() not in FORMATS:
        raise UsageError(f"--annotate {target}: a picture is drawn as .png or .jpg; name one of them, or a folder")
    if len(files) > 1:
        raise UsageError(f"--annotate {target} is one picture for {len(files)} files; name a folder")
    if target.exists() and any(file.exists() and target.samefile(file) for file in files):
        raise UsageError(f"--annotate {target} would replace the page that is read; name another file")


def _bases(folder: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Return for each file the path of its picture: PLACE/STEM.png, or PLACE/NAME.png where files differ by suffix."""
    absolute = {file: Path(os.path.normpath(file.absolute())) for file in files}
    shared = os.path.commonpath([path.parent for path in absolute.values()]) if absolute else ""
    places = {file: path.relative_to(shared) for file, path in absolute.items()}
    stems = Counter(place.with_suffix("") for place in set(places.values()))

    def name(place: Path) -> str:
        alone = stems[place.with_suffix("")] == 1 or place.suffix.lower() == ".png"
        return f"{place.stem if alone else place.name}.png"

    return {file: folder / place.with_name(name(place)) for file, place in places.items()}


def _free(path: Path) -> Path:
    """Return ``path``, or the first of ``NAME (2).png``, ``NAME (3).png`` and so on that does not exist."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.stem} ({number}){path.suffix}"), number + 1
    return free
