"""Where the pictures of `read --annotate` are drawn: each page has one of its own, and none replaces another file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from inkdigits.cli.annotating import AnnotatedPages
from inkdigits.errors import UsageError
from inkdigits.reader import Reader, Reading

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """The reading of an empty page."""
    path = tmp_path_factory.mktemp("page") / "page.png"
    Image.new("L", (60, 40), 255).save(path)
    return Reader().read(path)


@pytest.fixture(autouse=True)
def within(tmp_path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


def drawn(target: str, files: list[str], reading: Reading) -> list[str]:
    for file in map(Path, files):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    missing = [] if Path(target).suffix else [Path("missing/x.png")]
    pages = AnnotatedPages(Path(target), [*missing, *map(Path, files)])
    return [str(pages.draw(Path(file), reading)) for file in files]


@pytest.mark.parametrize(
    ("files", "pictures"),
    [
        (["a/x.png"], ["x.png"]),
        (["a/x.jpg", "a/y.jpg"], ["x.png", "y.png"]),
        (["a/x.png", "b/x.png", "a/x.bmp"], ["a/x.png", "b/x.png", "a/x.bmp.png"]),
        (["../a/x.png", "x.png"], None),
        (["x.bmp", "x.tif", "x.bmp.png"], ["x.bmp.png", "x.tif.png", "x.bmp (2).png"]),
    ],
)
def test_each_file_has_a_picture_of_its_own(files: list[str], pictures: list[str] | None, reading: Reading) -> None:
    made = drawn("seen", files, reading)
    if pictures is not None:
        assert made == [f"seen/{picture}" for picture in pictures]
    assert len(set(made)) == len(files) == len([path for path in Path("seen").rglob("*") if path.is_file()])


def test_what_is_there_already_is_kept(reading: Reading, capsys: pytest.CaptureFixture[str]) -> None:
    Path("seen").mkdir()
    Path("seen/x.png").write_text("of yesterday")
    assert drawn("seen", ["x.png"], reading) == ["seen/x (2).png"]
    assert drawn("seen", ["x.png"], reading) == ["seen/x (3).png"]
    assert Path("seen/x.png").read_text() == "of yesterday"
    assert capsys.readouterr().err.splitlines()[0] == "x.png: seen/x.png is there already; drawn in x (2).png"


@pytest.mark.parametrize(("name", "form"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.JPEG", "JPEG")])
def test_one_file_is_drawn_in_one_picture(name: str, form: str, reading: Reading) -> None:
    Path(name).write_text("an earlier drawing, which the name asks to replace")
    assert drawn(name, ["page.tif"], reading) == [name]
    with Image.open(name) as picture:
        assert picture.format == form


@pytest.mark.parametrize(
    ("target", "files", "says"),
    [
        ("a.bmp", ["x.png"], r"a picture is drawn as \.png or \.jpg"),
        ("a.pdf", ["x.png"], r"a picture is drawn as \.png or \.jpg"),
        ("a.png", ["x.png", "y.png"], "is one picture for 2 files; name a folder"),
        ("x.png", ["./x.png"], "would replace the page that is read"),
        ("notes.txt", ["x.png"], r"is neither a \.png, a \.jpg nor a folder"),
    ],
)
def test_other_targets_are_refused(target: str, files: list[str], says: str) -> None:
    for name in ("x.png", "notes.txt"):
        Path(name).touch()
    with pytest.raises(UsageError, match=says):
        AnnotatedPages(Path(target), [Path(file) for file in files])


def test_the_command_draws_each_page_of_a_file(run_cli: Cli) -> None:
    page = Image.new("L", (60, 40), 255)
    page.save("two.tif", save_all=True, append_images=[page])
    Path("seen-2.png").write_text("somebody's")
    assert run_cli("read", "two.tif", "--annotate", "seen.png")[0] == 0
    assert sorted(path.name for path in Path().glob("seen*")) == ["seen-2 (2).png", "seen-2.png", "seen.png"]
    code, _, err = run_cli("read", "two.tif", "--annotate", "seen.gif")
    assert (code, len(err.splitlines())) == (2, 1)
