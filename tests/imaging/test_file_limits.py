"""How many pixels and pages a file may have, and the colours of a PDF."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.errors import DataError
from inkdigits.imaging import files
from inkdigits.imaging.files import page_images, read_pixels


def pages(path: Path, count: int) -> Path:
    images = [Image.new("L", (8, 6), shade) for shade in range(count)]
    images[0].save(path, save_all=True, append_images=images[1:])
    return path


@pytest.mark.parametrize("form", ["tif", "pdf"])
def test_a_file_may_have_as_many_pages_as_the_limit_says(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_PAGES", 3)
    assert len(list(page_images(pages(tmp_path / f"three.{form}", 3)))) == 3
    with pytest.raises(DataError, match=rf"four\.{form} has more than 3 pages; split it"):
        next(page_images(pages(tmp_path / f"four.{form}", 4)))


def test_a_picture_may_have_as_many_pixels_as_the_limit_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_PIXELS", 48)
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    Image.new("L", (7, 7)).save(tmp_path / "b.png")
    assert read_pixels(tmp_path / "a.png").shape == (6, 8)
    with pytest.raises(DataError, match=r"b\.png has 7x7 pixels"):
        read_pixels(tmp_path / "b.png")


def test_a_pdf_keeps_its_colours_and_its_pages_are_large_enough_to_read(tmp_path: Path) -> None:
    red_and_blue = np.zeros((60, 80, 3), np.uint8)
    red_and_blue[:, :40, 0] = red_and_blue[:, 40:, 2] = 255
    Image.fromarray(red_and_blue).save(tmp_path / "page.pdf", resolution=72, quality=100)
    (page,) = page_images(tmp_path / "page.pdf")
    tall, wide, _ = page.pixels.shape
    assert (tall, wide) == (360, 480)  # six times 72 dots per inch
    assert page.size == (wide, tall)
    assert np.abs(page.pixels[tall // 2, wide // 4].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(page.pixels[tall // 2, 3 * wide // 4].astype(int) - (0, 0, 255)).max() < 12
