import cv2
import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.imaging.normalize import to_mnist
from inkdigits.imaging.pixels import to_grey
from inkdigits.reader import Recognizer


def test_mnist_digits_come_back_nearly_as_they_were(small: Dataset) -> None:
    back = np.stack([to_mnist(image) for image in small.test.images])
    difference = np.abs(back.astype(float) - small.test.images).mean((1, 2))
    assert np.median(difference) < 4  # of 255


def test_dark_ink_on_light_paper_gives_the_same_digit(small: Dataset) -> None:
    for image in small.test.images[:20]:
        assert np.abs(to_mnist(255 - image).astype(int) - to_mnist(image)).max() <= 1


@pytest.mark.parametrize("shape", [(400, 120), (60, 300), (9, 9)])
def test_the_digit_fills_the_box_and_is_centred(shape: tuple[int, int]) -> None:
    image = np.full((500, 500), 240, np.uint8)
    image[40 : 40 + shape[0], 70 : 70 + shape[1]] = 15
    digit = to_mnist(image)
    rows, columns = np.nonzero(digit > 30)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert abs(rows.mean() - 13.5) <= 1
    assert abs(columns.mean() - 13.5) <= 1


def test_every_kind_of_image_becomes_the_same_grey() -> None:
    grey = np.tile(np.arange(0, 250, 10, dtype=np.uint8), (25, 1))
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgba = np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2)
    for image in (grey, grey[..., None], rgb, rgba, grey.astype(np.uint16) * 257, grey / 255):
        assert np.abs(to_grey(image).astype(int) - grey).max() <= 1
    colour = np.asarray(Image.new("RGB", (2, 2), (200, 30, 90)))
    assert abs(int(to_grey(colour)[0, 0]) - int(np.asarray(Image.fromarray(colour).convert("L"))[0, 0])) <= 1


def test_a_blank_image_stays_blank() -> None:
    for shade in (0, 128, 255):
        assert not to_mnist(np.full((50, 40), shade, np.uint8)).any()


@pytest.mark.parametrize("shape", [(0, 5), (5,), (4, 4, 2), (1, 2, 3, 4)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="neither grey"):
        to_mnist(np.zeros(shape, np.uint8))


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        to_mnist(np.full((5, 5), np.nan))


def test_a_single_pixel_has_a_defined_answer() -> None:
    assert to_mnist(np.full((1, 1), 7, np.uint8)).shape == (28, 28)
    for side, seen in ((28, True), (30, False)):  # an image of MNIST's size is taken as it is; else a pixel is dust
        dot = np.zeros((side, side), np.uint8)
        dot[3, 3] = 255
        assert to_mnist(dot).any() == seen


def test_specks_too_small_to_survive_are_a_blank() -> None:
    page = np.full((1000, 1000), 255, np.uint8)
    page[10, 10] = page[990, 990] = 0
    assert not to_mnist(page).any()


@pytest.mark.parametrize("seed", range(40))
def test_dust_and_noise_have_a_defined_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(side) for side in rng.integers(48, 130, 2))
    assert to_mnist((rng.random(shape) > rng.uniform(0.5, 1)).astype(float)).shape == (28, 28)


def test_digits_on_any_paper_come_back_as_they_were(small: Dataset) -> None:
    rng = np.random.default_rng(0)
    recognizer = Recognizer(threads=1)
    images, labels = small.test.images, small.test.labels
    crops = []
    for image in images:
        scale = rng.uniform(2, 12)
        ink = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) / 255
        ink = np.pad(ink, [tuple(int(v) for v in rng.integers(0, len(ink), 2)) for _ in range(2)])
        paper = rng.uniform(120, 250)
        seen = paper + (rng.uniform(0, paper - 90) - paper) * ink + rng.normal(0, rng.uniform(0, 8), ink.shape)
        crops.append(seen.clip(0, 255).astype(np.uint8))
    found = recognizer.run(np.stack([to_mnist(crop) for crop in crops])).probabilities.argmax(1)
    plain = recognizer.run(images).probabilities.argmax(1)
    assert (found == labels).mean() >= (plain == labels).mean() - 0.01
