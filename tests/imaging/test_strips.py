import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.imaging.strips import BRIGHT, HEIGHT, NARROWEST, StripArea, cut_strip, make_strip

Grey = NDArray[np.uint8]


def written(height: int = 60, width: int = 300, paper: int = 230, ink: int = 40, thick: int = 4) -> Grey:
    """A line of four strokes and a ring."""
    page = np.full((height, width), paper, np.uint8)
    for x in (40, 90, 200, 250):
        cv2.line(page, (x, 12), (x + 15, 48), ink, thick, cv2.LINE_AA)
    cv2.circle(page, (150, 30), 15, ink, thick, cv2.LINE_AA)
    return page


def difference(one: Grey, other: Grey) -> float:
    """Mean difference as a share of the brighter strip's ink."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other).sum() / max(one.sum(), other.sum()))


@pytest.mark.parametrize(("height", "width"), [(60, 300), (40, 300), (20, 33), (120, 999), (200, 5), (1, 1)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_strip_is_40_pixels_high_and_as_wide_as_its_picture(height: int, width: int, kind: type) -> None:
    strip = make_strip(np.full((height, width), 1, kind))
    assert strip.shape == (HEIGHT, max(NARROWEST, round(width * 40 / height)))
    assert strip.dtype == np.uint8


def test_a_strip_has_at_least_the_width_that_the_network_takes() -> None:
    assert make_strip(np.full((200, 5), 200, np.uint8)).shape == (40, 8)


def test_a_mark_much_smaller_than_a_pixel_of_the_strip_is_faint() -> None:
    page = np.full((160, 400), 230, np.uint8)
    page[21::32, 21::32] = 20  # one of the 16 pixels that become one
    assert 0 < make_strip(page).max() < 0.8 * BRIGHT


@pytest.mark.parametrize("paper", [255, 120, 20])
def test_blank_paper_of_any_brightness_gives_nothing(paper: int) -> None:
    assert not make_strip(np.full((60, 200), paper, np.uint8)).any()
    assert not make_strip(np.full((60, 200), paper / 255, np.float32)).any()


def test_paper_of_another_brightness_gives_the_same_strip() -> None:
    page = written().astype(np.float32) / 255
    strip = make_strip(page)
    assert difference(strip, make_strip(page * 0.5)) < 0.01
    assert difference(strip, make_strip(page * 255)) < 0.01
    shaded = page * np.linspace(1, 0.6, page.shape[1], dtype=np.float32)
    assert difference(strip, make_strip(shaded)) < 0.05


def test_faint_ink_gives_nearly_the_strip_of_dark_ink() -> None:
    dark, faint = make_strip(written(ink=20)), make_strip(written(ink=170))
    assert difference(dark, faint) < 0.05
    assert np.quantile(dark[dark > 40], 0.9) == pytest.approx(BRIGHT, abs=20)


def test_the_faintest_marks_are_not_made_ink() -> None:
    """Print that shines through is far from as bright as ink."""
    assert make_strip(written(ink=219)).max() < 0.75 * BRIGHT


def test_ink_is_bright_where_the_strokes_are() -> None:
    page = written(height=HEIGHT * 2, width=400)
    small = cv2.resize(page, (200, HEIGHT), interpolation=cv2.INTER_AREA)
    strip = make_strip(page)
    assert strip[small < 100].min() > 100
    assert strip[small == 230].max() < 10


def test_a_picture_of_twice_the_size_gives_nearly_the_same_strip() -> None:
    page = written()
    twice = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert difference(make_strip(page), make_strip(twice)) < 0.06


def ink_of(page: Grey) -> NDArray[np.float32]:
    return (1 - page / 230).astype(np.float32)


def test_a_cut_along_the_page_is_the_strip_of_that_part() -> None:
    page = np.full((200, 500), 230, np.uint8)
    page[70:130, 100:400] = written()
    cut = cut_strip(ink_of(page), StripArea(100, 400, 100, 60))
    assert cut.shape == (HEIGHT, 200)
    assert difference(cut, make_strip(written())) < 0.2  # it is made smaller in a slightly other way


@pytest.mark.parametrize("slope", [-0.25, 0.15])
@pytest.mark.parametrize("height", [60, 30])
def test_a_sloped_line_is_straightened(slope: float, height: int) -> None:
    times = height / 60
    line = cv2.resize(written(), None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
    page = np.full((300, 400), 230, np.uint8)
    page[130 : 130 + line.shape[0], 50 : 50 + line.shape[1]] = line
    middle = 130 + line.shape[0] / 2
    shear = np.array([[1, 0, 0], [slope, 1, -slope * 50]])
    sloped = cv2.warpAffine(page, shear, (400, 300), flags=cv2.INTER_LINEAR, borderValue=230)
    straight = cut_strip(ink_of(page), StripArea(50, 50 + line.shape[1], middle, height))
    followed = cut_strip(ink_of(sloped), StripArea(50, 50 + line.shape[1], middle, height, slope))
    ignored = cut_strip(ink_of(sloped), StripArea(50, 50 + line.shape[1], middle, height))
    assert difference(straight, followed) < 0.1
    assert difference(straight, ignored) > 0.3


def test_beyond_the_page_is_paper() -> None:
    ink = ink_of(written())
    strip = cut_strip(ink, StripArea(-150, 450, 30, 60))
    assert strip.shape == (HEIGHT, 400)
    assert not strip[:, :95].any()
    assert not strip[:, 305:].any()
    assert difference(strip[:, 100:300], cut_strip(ink, StripArea(0, 300, 30, 60))) < 0.02
    high = cut_strip(ink, StripArea(0, 300, 30, 120))
    assert not high[:9].any()
    assert not high[31:].any()
    assert high.any()


@pytest.mark.parametrize(
    "area", [StripArea(1000, 1100, 30, 60), StripArea(0, 100, -500, 40), StripArea(-300, -100, 30, 80, 0.1)]
)
def test_an_area_wholly_beyond_the_page_is_blank(area: StripArea) -> None:
    strip = cut_strip(ink_of(written()), area)
    assert strip.shape == (HEIGHT, round((area.right - area.left) * HEIGHT / area.height))
    assert not strip.any()


@pytest.mark.parametrize("slope", [0.0, 0.2, -0.1])
@pytest.mark.parametrize("height", [32, 40, 90])
def test_a_box_on_the_page_is_where_its_ink_came_from(slope: float, height: int) -> None:
    page = np.full((400, 600), 230, np.uint8)
    page[190:216, 340:352] = 40
    area = StripArea(200, 500, 200 - slope * 146, height, slope)
    strip = cut_strip(ink_of(page), area)
    rows, columns = np.nonzero(strip > 100)
    edges = float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
    x, y, width, high = area.box_on_page(edges)
    reach = 1.5 + area.scale
    assert (x, y) == pytest.approx((340, 190), abs=reach)
    assert (width, high) == pytest.approx((12, 26), abs=2 * reach)


def test_a_box_follows_the_scale_and_the_slope_of_its_strip() -> None:
    area = StripArea(left=10, right=60, middle=50, height=80, slope=0.5)
    assert area.scale == 2
    assert area.box_on_page((10, 5, 20, 30)) == (30, 35, 20, 50)  # in its middle, 30 columns on, 15 rows lower
    assert StripArea(10, 60, 50, 80).box_on_page((10, 5, 20, 30)) == (30, 20, 20, 50)


def test_a_box_has_at_least_one_pixel() -> None:
    assert StripArea(10, 60, 50, 20).box_on_page((8.0, 20.0, 8.0, 20.0)) == (14, 50, 1, 1)
