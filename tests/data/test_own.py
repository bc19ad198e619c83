import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkdigits.data import Dataset, load, own
from inkdigits.errors import DataError

HEADER = "label," + ",".join(f"pixel{i}" for i in range(784))


def write_csv(path: Path, rows: list[tuple[int, np.ndarray]], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, [label, *image.ravel()])) for label, image in rows)]))
    return path


def test_a_kaggle_csv_is_read_as_it_is(small: Dataset, tmp_path: Path) -> None:
    rows = list(zip(small.train.labels[:50], small.train.images[:50], strict=True))
    own = load(str(write_csv(tmp_path / "train.csv", rows)))
    assert len(own.train) + len(own.test) == 50
    originals = {image.tobytes(): label for label, image in rows}
    assert all(originals[i.tobytes()] == label for i, label in zip(own.train.images, own.train.labels, strict=True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no digits"),
        (HEADER + "\n", "holds no digits"),
        (HEADER.replace(",pixel300,", ",") + "\n" + ",".join(["1"] * 784), "no column 'pixel300'"),
        (HEADER + "\n" + ",".join(["1"] * 784), "line 2 has 784 values, not 785"),
        (HEADER + "\n" + ",".join(["1"] * 784 + ["300"]), "pixel 300 is not within 0 to 255"),
        (HEADER + "\n" + ",".join(["11"] + ["0"] * 784), "label 11 is not within 0 to 9"),
        (HEADER + "\n" + ",".join(["1"] + ["x"] + ["0"] * 783), "line 2: 'x' is not a whole number"),
        (HEADER + "\n" + ",".join(["1"] + [""] + ["0"] * 783), "line 2: a value is missing"),
        (HEADER + "\n" + ",".join(["1"] + ["0.5"] + ["0"] * 783), "line 2: '0.5' is not a whole number"),
        (HEADER + "\n" + ",".join(["1"] * 785) + "\n" + ",".join(["1"] * 785), "the class 1 only"),
        (HEADER + "\n" + ",".join(["1"] * 785) + "\n" + ",".join(["1"] * 7), "line 3 has 7 values"),
    ],
)
def test_a_bad_csv_is_named_with_its_fault(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        load(str(path))
    assert str(path) in str(caught.value)


def test_a_folder_of_large_dark_on_light_photos_becomes_mnist_like(small: Dataset, tmp_path: Path) -> None:
    for index in range(40):
        label = small.train.labels[index]
        large = Image.fromarray(255 - small.train.images[index]).resize((280, 280), Image.Resampling.BICUBIC)
        paper = Image.new("RGB", (400, 500), (250, 245, 235))
        paper.paste(large.convert("RGB"), (20 + index, 150))
        folder = tmp_path / str(label)
        folder.mkdir(exist_ok=True)
        paper.save(folder / f"{index:03d}.png")
    own = load(str(tmp_path))
    joined = {image.tobytes() for image in own.train.images} | {image.tobytes() for image in own.test.images}
    assert len(joined) == 40
    first = small.train.images[:40].astype(float)
    found = np.concatenate([own.train.images, own.test.images]).astype(float)
    distances = np.sqrt(((first[:, None] - found[None]) ** 2).mean((2, 3)))
    assert np.median(distances.min(1)) < 30  # of 255: the same digits again


def test_train_and_test_sub_folders_are_kept_apart(small: Dataset, tmp_path: Path) -> None:
    for part, offset in (("train", 0), ("test", 100)):
        for index in range(offset, offset + 30):
            folder = tmp_path / part / str(small.train.labels[index])
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(small.train.images[index]).save(folder / f"{index}.png")
    own = load(str(tmp_path))
    assert (len(own.train), len(own.test)) == (30, 30)
    assert own.train.images.sum() == small.train.images[:30].sum()  # 28x28 on black stays as it is


def test_a_folder_without_digits_or_with_a_broken_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sub-folders named 0 to 9"):
        load(str(tmp_path))
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"text.png"):
        load(str(tmp_path))


def test_an_npz_brings_its_own_test_set(small: Dataset, small_npz: Path) -> None:
    own = load(str(small_npz))
    assert (own.train.images == small.train.images).all()
    assert (own.test.labels == small.test.labels).all()


def test_an_npz_with_objects_or_other_names_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", images=np.array([{}], object), labels=np.array([1]))
    with pytest.raises(DataError, match="plain arrays"):
        load(str(tmp_path / "pickled.npz"))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="needs the arrays images and labels"):
        load(str(tmp_path / "other.npz"))
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match=r"text.npz"):
        load(str(tmp_path / "text.npz"))
    np.savez(tmp_path / "nan.npz", images=np.full((2, 8, 8), np.nan), labels=np.array([1, 2]))
    with pytest.raises(DataError, match="NaN"):
        load(str(tmp_path / "nan.npz"))


@pytest.mark.parametrize("form", ["uint8", "int64", "float64", "unit"])
def test_an_npz_means_the_same_whatever_its_numbers_are(form: str, small: Dataset, tmp_path: Path) -> None:
    images = small.train.images[:50]
    given = images / 255 if form == "unit" else images.astype(form)
    np.savez(tmp_path / "own.npz", images=given, labels=small.train.labels[:50])
    own = load(str(tmp_path / "own.npz"))
    assert sorted(i.tobytes() for i in np.concatenate([own.train.images, own.test.images])) == sorted(
        i.tobytes() for i in images
    )


def test_broken_archives_and_headers_are_named(small: Dataset, tmp_path: Path) -> None:
    flipped = tmp_path / "flipped.npz"
    np.savez_compressed(flipped, images=small.train.images[:50], labels=small.train.labels[:50])
    content = bytearray(flipped.read_bytes())
    content[2000] ^= 0xFF
    flipped.write_bytes(content)
    with pytest.raises(DataError, match=r"flipped\.npz"):
        load(str(flipped))
    np.save(tmp_path / "single.npy", small.train.images[:5])
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    with pytest.raises(DataError, match="a single array"):
        load(str(tmp_path / "single.npz"))
    np.savez(tmp_path / "large.npz", images=np.full((2, 28, 28), 4000.0), labels=np.array([1, 2]))
    with pytest.raises(DataError, match="pixels from 4000 to 4000"):
        load(str(tmp_path / "large.npz"))


def test_a_csv_that_excel_wrote_is_read(small: Dataset, tmp_path: Path) -> None:
    rows = list(zip(small.train.labels[:30], small.train.images[:30], strict=True))
    path = write_csv(tmp_path / "train.csv", rows)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert len(load(str(path)).train) == 24


def digits_in(folder: Path, small: Dataset, start: int, count: int) -> None:
    """Write digits into class sub-folders."""
    for index in range(start, start + count):
        (folder / str(small.train.labels[index])).mkdir(parents=True, exist_ok=True)
        Image.fromarray(small.train.images[index]).save(folder / str(small.train.labels[index]) / f"{index}.png")


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (("train", "test"), (30, 10)),
        (("training", "testing"), (30, 10)),
        (("Train", "valid", "Test"), (40, 10)),  # each run holds out validation digits of its own
        (("training", "validation"), (32, 8)),  # of 40; a fifth is the test set
        (("TRAIN",), (24, 6)),
    ],
)
def test_usual_names_of_sub_folders_are_understood(
    names: tuple[str, ...], sizes: tuple[int, int], small: Dataset, tmp_path: Path
) -> None:
    for number, name in enumerate(names):
        digits_in(tmp_path / name, small, 100 * number, 10 if number else 30)
    own = load(str(tmp_path))
    assert (len(own.train), len(own.test)) == sizes


def test_other_sub_folders_are_named_in_the_refusal(small: Dataset, tmp_path: Path) -> None:
    digits_in(tmp_path / "mine", small, 0, 10)
    digits_in(tmp_path / "test", small, 20, 10)
    with pytest.raises(DataError, match=r"no images in sub-folders named 0 to 9, only \['mine', 'test'\]; put"):
        load(str(tmp_path))
    digits_in(tmp_path / "train", small, 0, 10)
    digits_in(tmp_path / "Training", small, 0, 10)
    with pytest.raises(DataError, match="has both Training and train; join them"):
        load(str(tmp_path))


def test_pipes_and_devices_are_named_and_not_waited_for(small: Dataset, tmp_path: Path) -> None:
    digits_in(tmp_path, small, 0, 10)
    (tmp_path / "0").mkdir(exist_ok=True)
    for name, make in (("pipe.png", os.mkfifo), ("zero.png", lambda path: path.symlink_to("/dev/zero"))):
        odd = tmp_path / "0" / name
        make(odd)
        with pytest.raises(DataError, match=rf"{name} .*a pipe or a device"):
            load(str(tmp_path))
        odd.unlink()
    for name in ("pipe.csv", "pipe.npz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(DataError, match=rf"{name}.*a pipe or a device"):
            load(str(tmp_path / name))


def test_pictures_of_every_usual_format_are_read(tmp_path: Path) -> None:
    (tmp_path / "3").mkdir()
    suffixes = (".bmp", ".gif", ".jpeg", ".JPG", ".pgm", ".png", ".ppm", ".tif", ".TIFF", ".webp")
    for suffix in suffixes:
        Image.fromarray(np.full((28, 28), 200, np.uint8)).save(tmp_path / "3" / f"a{suffix}")
    images, labels = own._read_classes(tmp_path)
    assert images.shape == (len(suffixes), 28, 28)
    assert labels.tolist() == [3] * len(suffixes)
