"""Drawings and pictures in MNIST's form, by their properties."""

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from explorer.drawing import (
    BRUSH,
    MAX_SIDE,
    SIDE,
    DrawingError,
    enlarged,
    has_light_border,
    mnist_form,
    open_picture,
    rasterize,
    reduced,
)
from tests.conftest import ROOT, likeness, png_header
from training.datasets import Data

Array = NDArray[Any]

points = st.lists(st.integers(0, SIDE), min_size=2, max_size=40).map(lambda values: values[: len(values) // 2 * 2])
drawings = st.lists(points, min_size=1, max_size=4)


def form_of(ink: Array) -> Array:
    form = mnist_form(ink)
    assert form is not None
    return form


def box(form: Array) -> tuple[int, int]:
    """Height and width of what is not black."""
    rows, columns = np.flatnonzero(form.any(1)), np.flatnonzero(form.any(0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def saved(pixels: Array, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def seven() -> Array:
    """A seven on the pad: ink, (SIDE, SIDE)."""
    return rasterize([[60, 60, 200, 60, 120, 230]])


@settings(deadline=None)
@given(drawings)
def test_drawings_fit_20_pixels_and_are_centred_by_their_mass(strokes: list[list[int]]) -> None:
    ink = rasterize(strokes)
    form = form_of(ink)
    assert form.shape == (28, 28)
    assert form.dtype == np.uint8
    assert max(box(form)) <= 20
    # The aspect is kept to a pixel: faint edges may round to black.
    drawn = box(ink)
    expected = [20 * side / max(drawn) for side in drawn]
    assert box(form) == pytest.approx(expected, abs=1.51)
    # MNIST's centres of mass lie in the pixel 14, counted from 0; unless that would cut something off.
    mass = form.astype(float)
    for axis in (0, 1):
        profile = mass.sum(axis=1 - axis)
        centre = profile @ np.arange(28) / profile.sum()
        ends = np.flatnonzero(profile)
        assert abs(centre - 14) <= 0.52 or ends[0] <= 1 or ends[-1] >= 26


@settings(deadline=None, max_examples=30)
@given(points, st.integers(-40, 40), st.integers(-40, 40))
def test_where_it_is_drawn_makes_no_difference(stroke: list[int], right: int, down: int) -> None:
    middle = np.array(stroke).reshape(-1, 2) // 3 + 90  # so that neither leaves the pad
    moved = middle + np.array([right, down])
    here, there = (form_of(rasterize([way.ravel().tolist()])) for way in (middle, moved))
    np.testing.assert_array_equal(here, there)


def test_edges_are_soft_and_strokes_as_thick_as_mnists() -> None:
    upright = form_of(rasterize([[140, 40, 140, 240]]))
    assert set(np.unique(upright)) - {0, 255}
    across = upright[14].astype(float).sum() / 255
    assert across == pytest.approx(20 * BRUSH / (200 + BRUSH), abs=0.3)


def test_nothing_drawn_has_no_form() -> None:
    assert mnist_form(rasterize([])) is None
    assert mnist_form(np.zeros((5, 7))) is None


def test_a_dot_and_a_stroke_along_the_edge_have_a_form() -> None:
    assert max(box(form_of(rasterize([[3, 277]])))) == 20
    assert box(form_of(rasterize([[0, 0, 280, 0]])))[1] == 20


def test_endless_scribbling_is_cut_short() -> None:
    one = np.random.default_rng(0).integers(0, SIDE, 2 * 20_000).tolist()
    np.testing.assert_array_equal(rasterize([one, [5, 5] * 100_000]), rasterize([one]))


def mnist_like(digits: Data, n: int) -> list[Array]:
    """Real digits in MNIST's form, and without the faint fringe that scikit-learn's have, being enlarged."""
    forms = [form_of(image / 255) for image in digits.test.images[:n].numpy()]
    return [form_of(enlarged(np.where(form > 24, form, 0))) for form in forms]


def test_what_is_in_mnists_form_stays_as_it_is(digits: Data) -> None:
    for form in mnist_like(digits, 40):
        assert np.abs(form_of(enlarged(form)).astype(int) - form).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("negative", [False, True])
def test_files_of_digits_come_back_nearly_unchanged(kind: str, negative: bool, digits: Data) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    for form in mnist_like(digits, 25):
        pixels = form.repeat(4, 0).repeat(4, 1)
        file = saved(255 - pixels if negative else pixels, kind, **options)
        assert likeness(form_of(open_picture(file, "digit")), form) > 0.95


def photograph(ink: Array, seed: int = 0) -> Array:
    """Dark ink on lit paper: the light falls off, the sensor is noisy."""
    y, x = np.mgrid[0:900, 0:1200] / 1200
    light = 0.9 - 0.35 * x - 0.1 * y - 0.2 * (x - 0.5) ** 2
    large = np.asarray(Image.fromarray(ink).resize((500, 500), Image.Resampling.BILINEAR))
    light[200:700, 350:850] *= 1 - 0.65 * large
    noisy = light * 255 + np.random.default_rng(seed).normal(0, 6, light.shape)
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [50, 90])
def test_photographs_lose_their_paper(quality: int) -> None:
    file = saved(photograph(seven()), "JPEG", quality=quality)
    form = form_of(open_picture(file, "photo.jpg"))
    assert likeness(form, form_of(seven())) > 0.95
    assert (form == 0).mean() > 0.6  # the paper is black, not grey


def test_cameras_that_lay_on_their_side_are_turned() -> None:
    turned = Image.fromarray(np.rot90(photograph(seven())))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=exif)
    assert likeness(form_of(open_picture(buffer.getvalue(), "photo.jpg")), form_of(seven())) > 0.95


def test_transparency_is_paper() -> None:
    ink = (seven() * 255).astype(np.uint8)
    black_on_nothing = np.stack([np.zeros_like(ink)] * 3 + [ink], axis=-1)
    assert likeness(form_of(open_picture(saved(black_on_nothing), "a.png")), form_of(seven())) > 0.98


def test_of_an_animation_the_first_image_is_taken() -> None:
    first, second = (
        Image.fromarray((ink * 255).astype(np.uint8)) for ink in (seven(), rasterize([[40, 40, 240, 240]]))
    )
    for kind in ("GIF", "WEBP", "PNG"):
        buffer = io.BytesIO()
        first.save(buffer, kind, save_all=True, append_images=[second])
        assert likeness(form_of(open_picture(buffer.getvalue(), "film")), form_of(seven())) > 0.97


@pytest.mark.parametrize("mode", ["1", "P", "LA", "I;16", "CMYK"])
def test_other_kinds_of_pixels_are_read(mode: str) -> None:
    grey = Image.fromarray(((1 - seven()) * 255).astype(np.uint8))
    if mode == "I;16":
        image = Image.fromarray((np.asarray(grey) * np.uint16(257)).astype(np.uint16))
    else:
        image = grey.convert("RGB").convert(mode) if mode in ("P", "CMYK") else grey.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert likeness(form_of(open_picture(buffer.getvalue(), "a.png")), form_of(seven())) > 0.97


def test_dirt_does_not_count_as_ink() -> None:
    page = 1 - np.pad(seven(), 200)
    page[20:24, 30:33] = page[600, 640] = 0
    form = form_of(open_picture(saved((page * 255).astype(np.uint8)), "scan.png"))
    assert likeness(form, form_of(seven())) > 0.97


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"This is no picture." * 50, "is no picture that can be read here; expected is a PNG, JPEG"),
    "empty": (lambda: b"", "is no picture that can be read here"),
    "cut short": (lambda: saved(photograph(seven()))[:9000], "is damaged"),
    "cut JPEG": (lambda: saved(photograph(seven()), "JPEG")[:9000], "is damaged"),
    "shorter than it says": (lambda: png_header(300, 300), "is damaged"),
    "50 megapixels": (lambda: png_header(10_000, 5_000), r"has 50 megapixels \(10000 x 5000\), and a PNG may have 17"),
    "a bomb": (lambda: png_header(2_000_000, 2_000_000), "has far too many pixels"),
    "one colour": (lambda: saved(np.full((80, 80), 200, np.uint8)), "Nothing can be seen on"),
    "one pixel": (lambda: saved(np.full((1, 1), 200, np.uint8)), "Nothing can be seen on"),
    "vector graphics": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is no picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_get_a_sentence(case: str) -> None:
    content, sentence = BAD[case]
    with pytest.raises(DrawingError, match=f"^a file.png {sentence}|{sentence} a file.png") as told:
        open_picture(content(), "a file.png")
    assert "\n" not in str(told.value)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]), st.data())
def test_damaged_files_are_opened_or_told(kind: str, data: st.DataObject) -> None:
    file = bytearray(saved((seven()[::4, ::4] * 255).astype(np.uint8), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DrawingError):
        ink = open_picture(bytes(file), "damaged")
        assert max(ink.shape) <= MAX_SIDE
        assert ink.min() >= 0
        assert ink.max() <= 1


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 2), (9, 5000), (1, 2)])
def test_thin_and_tiny_pictures_are_opened_or_told(shape: tuple[int, int]) -> None:
    pixels = np.full(shape, 255, np.uint8)
    pixels[0, : shape[1] // 2] = 0
    with contextlib.suppress(DrawingError):
        form_of(open_picture(saved(pixels), "thin.png"))


# A process of its own: decoders allocate what no Python tool sees, and a peak is of the whole process.
PEAK = """
import re, sys, time
from pathlib import Path
from scipy import ndimage
from PIL import Image
from explorer.drawing import DrawingError, open_picture
Image.init()
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
file = Path(sys.argv[1]).read_bytes()
before, began = peak(), time.perf_counter()
try:
    print(open_picture(file, "large").shape)
except DrawingError as told:
    print(told)
print(peak() - before, time.perf_counter() - began)
"""

LARGE = {
    "50 megapixels as PNG": ((10_000, 5_000), "RGB", "PNG", {}, "has 50 megapixels"),
    "50 megapixels as JPEG": ((10_000, 5_000), "RGB", "JPEG", {}, "(209, 417)"),
    "50 megapixels as progressive JPEG": ((10_000, 5_000), "RGB", "JPEG", {"progressive": True}, "has 50 megapixels"),
    "the largest PNG": ((4608, 3600), "RGBA", "PNG", {}, "(400, 512)"),
    "the largest WebP": ((2048, 2000), "RGB", "WEBP", {}, "(500, 512)"),
    "the largest progressive JPEG": ((4000, 2700), "RGB", "JPEG", {"progressive": True}, "(338, 500)"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="a process' peak is read from /proc")
@pytest.mark.parametrize("case", LARGE)
def test_large_pictures_take_neither_memory_nor_time(case: str, tmp_path: Any) -> None:
    size, mode, kind, options, expected = LARGE[case]
    paper = Image.new(mode, size, "white")
    paper.paste((20, 20, 30, 255)[: len(mode)], (size[0] // 3, size[1] // 3, size[0] // 3 + 200, 2 * size[1] // 3))
    paper.save(tmp_path / "large", kind, **options)
    command = [sys.executable, "-c", PEAK, str(tmp_path / "large")]
    *told, figures = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    megabytes, seconds = map(float, figures.split())
    assert expected in told[0]
    assert megabytes < 100
    assert seconds < 10  # on a busy machine


def test_all_pixels_are_taken_into_account() -> None:
    ink = np.random.default_rng(0).random((37, 53))
    form = form_of(ink).astype(float) / 255
    # Area averaging keeps the mass, up to the change of scale.
    assert form.sum() == pytest.approx(ink.sum() * 20 / 53 * 14 / 37, rel=0.01)
    assert box(form) == (14, 20)


def test_what_is_drawn_stays_where_it_is_in_a_data_set_of_no_digits() -> None:
    form = reduced(rasterize([[40, 40, 40, 100]]))
    assert form is not None
    rows, columns = np.nonzero(form)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 11, 2, 5)
    np.testing.assert_array_equal(reduced(enlarged(form)), form)
    assert reduced(rasterize([])) is None


def test_the_background_of_a_picture_is_that_of_its_border() -> None:
    assert has_light_border(np.ones((9, 9)))
    assert not has_light_border(np.zeros((9, 9)))
