from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.errors import DataError
from inkdigits.imaging import files
from inkdigits.imaging.files import find_pictures, read_pixels


def test_a_picture_comes_back_upright(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert (read_pixels(tmp_path / "a.png") == grey).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    assert (read_pixels(tmp_path / "turned.png") == np.rot90(grey, -1)).all()
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.gif")
    assert read_pixels(tmp_path / "palette.gif").shape == (3, 4, 3)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(self: Image.Image) -> None:
        raise AssertionError("the pixels were decoded")

    Image.new("1", (20_000, 20_000)).save(tmp_path / "vast.png")
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image.Image, "load", decoded)
    for name in ("vast.png", "large.png"):
        with pytest.raises(DataError, match=rf"{name} has .*more than 80 million.*scale it down"):
            read_pixels(tmp_path / name)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    whole = tmp_path / "whole.jpg"
    Image.effect_noise((200, 200), 50).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:2000])
    for name in ("text.png", "empty.png"):
        with pytest.raises(DataError, match=rf"{name} is no image.*PNG"):
            read_pixels(tmp_path / name)
    with pytest.raises(DataError, match=r"cut.jpg .*truncated"):
        read_pixels(tmp_path / "cut.jpg")
    with pytest.raises(DataError, match=r"none.png does not exist"):
        read_pixels(tmp_path / "none.png")


def test_a_format_that_is_not_on_the_list_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png", "TGA")
    with pytest.raises(DataError, match="is no image that can be read here"):
        read_pixels(tmp_path / "a.png")
    assert "EPS" not in files.FORMATS  # which would start another program


def test_folders_are_searched_in_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list(find_pictures([tmp_path, Path("named.png")]))
    assert [str(path.relative_to(tmp_path)) if path.is_absolute() else str(path) for path in found] == [
        *("a.png", "b/1.png", "b/2.png", "named.png")
    ]


@pytest.mark.parametrize("form", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_large_picture_is_made_smaller_as_it_is_read_and_turned_once(
    form: str, orientation: int, tmp_path: Path
) -> None:
    grey = np.zeros((400, 600), np.uint8)
    grey[:100, :100] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{form}"
    Image.fromarray(grey).convert("RGB").save(path, exif=exif)
    sheet = next(files.page_images(path, longest=150))
    assert max(sheet.pixels.shape) < 400
    assert sheet.size == ((400, 600) if orientation == 6 else (600, 400))
    corners = sheet.pixels[..., 0][[[5, 5], [-5, -5]], [[5, -5], [5, -5]]] > 128
    assert corners.ravel().tolist() == [orientation == 1, orientation == 6, False, orientation == 3]
