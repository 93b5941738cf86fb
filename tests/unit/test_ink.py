"""Digits on pictures from outside: ruled paper, several at once, white ink, HEIC; drawn here, and read as files."""

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from explorer.drawing import DrawingError, enlarged, mnist_form, open_digits, rasterize
from explorer.ink import find_digits
from tests.conftest import ROOT, likeness
from training.datasets import Data

Array = NDArray[Any]

HEIC = Path(__file__).with_name("seven.heic")  # `seven` on paper that gets darker; pillow-heif 1.8.1, quality 40
PATHS = {  # of the pen, in a box that is a tenth of a thousand units wide and high
    1: [[(50, 5), (50, 95)]],
    2: [[(15, 25), (30, 8), (60, 8), (75, 25), (70, 45), (15, 95), (80, 95)]],
    4: [[(35, 5), (15, 60), (85, 60)], [(65, 30), (65, 95)]],
    7: [[(10, 5), (80, 5), (40, 95)]],
}


def write(image: Image.Image, digit: int, left: float, top: float, height: float, pen: float, fill: int) -> None:
    """Write a digit with a round pen."""
    draw = ImageDraw.Draw(image)
    for path in PATHS[digit]:
        points = [(left + height * x / 100, top + height * y / 100) for x, y in path]
        draw.line(points, fill, round(pen))
        for x, y in points:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill)


def page(
    side: int,
    digit: int = 7,
    *,
    rules: str = "",
    pen: float | None = None,
    every: float | None = None,
    grey: int = 230,
    width: float = 1,
    slope: float = 0,
    ink: int = 25,
) -> Array:
    """A digit on paper at grey 250: uint8 (side, side), drawn twice as large, for smooth edges.

    Args:
        side: of the page, in pixels, as are all lengths.
        digit: more than half as high as the page.
        rules: "-", "|" or both; "m" is a red margin.
        pen: its thickness; 14 pixels of 280 unless given.
        every: so many pixels there is a rule; 40 of 280 unless given.
        grey: of the rules.
        width: of the rules.
        slope: of the sheet.
        ink: its grey.
    """
    every = side / 7 if every is None else every
    large = Image.new("RGB", (2 * side, 2 * side), (250, 250, 250))
    draw = ImageDraw.Draw(large)
    for at in np.arange(every / 2, side + every, every):
        ends = [(-10, 2 * at - slope * side), (2 * side + 10, 2 * at + slope * side)]
        if "-" in rules:
            draw.line(ends, (grey, grey, grey), round(2 * width))
        if "|" in rules:
            draw.line([(x, 2 * side - y) for y, x in ends], (grey, grey, grey), round(2 * width))
    if "m" in rules:
        draw.line([(side / 4, 0), (side / 4, 2 * side)], (200, 40, 40), round(2 * width) + 2)
    paper = large.convert("L")
    write(paper, digit, 0.55 * side, 0.45 * side, 1.1 * side, 2 * (side / 20 if pen is None else pen), ink)
    return np.asarray(paper.resize((side, side), Image.Resampling.BOX))


def photographed(page: Array, seed: int = 0) -> Array:
    """The light falls off, and the sensor is noisy."""
    y, x = (np.indices(page.shape) / len(page)).astype(np.float32)
    lit = page * (0.95 - 0.35 * x - 0.1 * y - 0.2 * (x - 0.5) ** 2)
    return (lit + np.random.default_rng(seed).normal(0, 3, page.shape)).clip(0, 255).astype(np.uint8)


def saved(pixels: Array, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def the_digit(file: bytes, name: str = "page.png") -> Array:
    (form,) = open_digits(file, name)
    return form


def height(form: Array) -> int:
    """Of what is more than a fringe."""
    return int(np.ptp(np.flatnonzero((form > 40).any(axis=1)))) + 1


def expected(digit: int = 7, *, pen: float = 50) -> Array:
    """The digit's form, drawn on nothing: of a page of 1,000 pixels."""
    ink = Image.new("L", (1000, 1000))
    write(ink, digit, 225, 225, 550, pen, 255)
    form = mnist_form(np.asarray(ink, np.float32) / 255)
    assert form is not None
    return form


@pytest.mark.parametrize("side", [280, 400])
@pytest.mark.parametrize(("grey", "width"), [(230, 1), (170, 2)])
@pytest.mark.parametrize("rules", ["-", "|", "-|", "-m", "-|m"])
def test_rules_are_no_ink(rules: str, grey: int, width: int, side: int) -> None:
    paper = page(side, rules=rules, pen=14, every=40, grey=grey, width=width)
    form = the_digit(saved(paper))
    assert likeness(form, expected(pen=14_000 / side)) > 0.96
    assert height(form) in (19, 20)
    # Light ink on dark paper is read alike.
    np.testing.assert_allclose(the_digit(saved(255 - paper)), form, atol=3)


@pytest.mark.parametrize("digit", PATHS)
@pytest.mark.parametrize("rules", ["-", "-|", "-|m"])
@pytest.mark.parametrize("slope", [0, 0.03, -0.1])
def test_photographs_of_ruled_paper(slope: float, rules: str, digit: int) -> None:
    paper = photographed(page(500, digit, rules=rules, grey=170, width=2, slope=slope))
    form = the_digit(saved(paper, "JPEG", quality=85), "photo.jpg")
    assert likeness(form, expected(digit)) > 0.95


@pytest.mark.parametrize("side", [60, 90, 150, 600, 1500, 4000])
@pytest.mark.parametrize("rules", ["", "-", "-|"])
def test_pages_of_all_sizes(rules: str, side: int) -> None:
    width = max(1, side / 200)
    form = the_digit(saved(page(side, rules=rules, grey=190, width=width)))
    assert likeness(form, expected()) > 0.93


@pytest.mark.parametrize("pen", [4, 8])
@pytest.mark.parametrize("ink", [60, 190])
def test_thin_pens_and_faint_pencils_on_ruled_paper(ink: int, pen: int) -> None:
    grey = 150 if ink < 100 else 225
    ruled, plain = (the_digit(saved(page(400, 2, rules=rules, pen=pen, ink=ink, grey=grey))) for rules in ("-|", ""))
    assert likeness(ruled, plain) > 0.97


@pytest.mark.parametrize("digit", PATHS)
@pytest.mark.parametrize("pen", [3, 8, 30])
def test_strokes_from_edge_to_edge_are_no_rules(pen: int, digit: int) -> None:
    paper = page(400, digit, pen=pen)
    rows, columns = np.nonzero(paper < 200)
    cropped = paper[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert likeness(the_digit(saved(cropped)), the_digit(saved(paper))) > 0.98


@pytest.mark.parametrize("share", [0.6, 0.7, 0.8])  # of the page
@pytest.mark.parametrize("rules", ["-", "-|"])
@pytest.mark.parametrize(("grey", "width"), [(230, 1), (170, 2)])
def test_a_1_as_straight_as_a_rule_is_none(share: float, rules: str, grey: int, width: int) -> None:
    paper = page(300, 1, rules=rules, every=40, grey=grey, width=width, ink=255)  # nothing is written yet
    image = Image.fromarray(paper)
    top = 300 * (1 - share) / 2
    ImageDraw.Draw(image).line((150, top, 150, 300 - top), 20, 6)
    form = the_digit(saved(np.asarray(image)))
    assert height(form) == 20
    assert np.count_nonzero((form > 127).any(axis=0)) <= 3


@pytest.mark.parametrize(
    ("paper", "sentence"),
    [
        (page(400, rules="-", pen=3, ink=60, grey=60, width=3), "^Rules cannot be told from ink on a.png; expected"),
        (page(400, rules="-|", grey=170, width=2, slope=0.3), "^Rules cannot be told from ink on a.png; expected"),
        (page(400, rules="-", grey=170, width=2, ink=250)[:150], "^Nothing but rules can be seen on a.png; expected"),
        (page(400, rules="-|", grey=170, width=2, ink=250)[:150], "^Nothing but rules can be seen on a.png; expected"),
    ],
    ids=["as dark and thick as the pen", "too slanted", "nothing on ruled paper", "nothing on squared paper"],
)
def test_what_cannot_be_told_gets_a_sentence(paper: Array, sentence: str) -> None:
    with pytest.raises(DrawingError, match=sentence):
        open_digits(saved(paper), "a.png")


def test_digits_are_told_apart_in_reading_order() -> None:
    digits = (1, 2, 4, 7, 1, 7, 2, 4, 1, 2)
    row = Image.new("L", (1400, 300), 245)
    for i, digit in enumerate(digits):
        write(row, digit, 30 + 135 * i, 60 + 15 * (i % 3), 140, 14, 30)
    forms = open_digits(saved(np.asarray(row)), "row.png")
    assert len(forms) == len(digits)
    assert all(likeness(form, expected(digit, pen=55)) > 0.9 for form, digit in zip(forms, digits, strict=True))
    # On two lines, the upper one first.
    two = np.concatenate([np.asarray(row)[:, :560], np.asarray(row)[:, 560:1120]])
    again = open_digits(saved(two), "two.png")
    assert len(again) == 8
    assert all(likeness(one, other) > 0.9 for one, other in zip(again, forms, strict=False))


@pytest.mark.parametrize(
    ("text", "n"), [("1 0", 2), ("10", 2), ("0123456789", 10), *((each, 1) for each in "0123456789i=%")]
)
def test_printed_digits_are_counted(text: str, n: int) -> None:
    image = Image.new("L", (100 + 80 * len(text), 200), 250)
    ImageDraw.Draw(image).text((50, 30), text, 20, ImageFont.load_default(120))
    assert len(open_digits(saved(np.asarray(image)), "print.png")) == n


def test_the_bar_of_a_5_may_be_apart() -> None:
    image = Image.new("L", (300, 400), 245)
    draw = ImageDraw.Draw(image)
    draw.line([(100, 110), (90, 210), (180, 200), (210, 270), (150, 330), (80, 310)], 20, 16)
    draw.line([(125, 70), (230, 70)], 20, 16)
    form = the_digit(saved(np.asarray(image)))
    assert form[4:8].max() > 200
    assert find_digits(np.zeros((30, 30))) == []


def test_a_page_of_text_gets_a_sentence() -> None:
    image = Image.new("L", (800, 800), 250)
    ImageDraw.Draw(image).multiline_text((50, 50), "\n".join(["0123456789"] * 8), 20, ImageFont.load_default(80))
    with pytest.raises(DrawingError, match=r"^text\.png shows 80 digits or letters; cut out one, or at most 20\.$"):
        open_digits(saved(np.asarray(image)), "text.png")


@pytest.mark.parametrize("colour", [0, 128, 200, 255])
def test_ink_on_nothing_is_in_the_alpha_channel(colour: int) -> None:
    ink = rasterize([[60, 60, 200, 60, 120, 230]])
    pixels = np.stack([np.full_like(ink, colour)] * 3 + [255 * ink], axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(the_digit(saved(pixels)), mnist_form(ink))


def test_a_card_on_nothing_is_paper() -> None:
    ink = (255 * rasterize([[60, 60, 200, 60, 120, 230]])).astype(np.uint8)
    card = np.pad(np.dstack([255 - ink] * 3 + [np.full_like(ink, 255)]), ((50, 50), (50, 50), (0, 0)))
    assert likeness(the_digit(saved(card)), the_digit(saved(255 - ink))) > 0.99


@pytest.mark.parametrize("scale", [1, 8, 32])
def test_a_picture_in_mnists_form_is_taken_as_it_is(scale: int, digits: Data) -> None:
    for image in digits.test.images[:30].numpy():
        form = mnist_form(enlarged(image))
        assert form is not None
        large = form.repeat(scale, 0).repeat(scale, 1)
        np.testing.assert_array_equal(the_digit(saved(large)), form)
        np.testing.assert_allclose(the_digit(saved(255 - large)), form, atol=1)


def test_a_small_picture_that_is_not_in_mnists_form_is_brought_into_it() -> None:
    corner = np.zeros((28, 28), np.uint8)
    corner[1:12, 1:12] = expected()[4:26:2, 3:25:2]
    assert height(the_digit(saved(corner))) in (19, 20)


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "IMG_0001.jpg"])
def test_phones_photographs_are_read_whatever_they_are_called(name: str) -> None:
    form = mnist_form(rasterize([[60, 60, 200, 60, 120, 230]]))
    assert form is not None
    assert likeness(the_digit(HEIC.read_bytes(), name), form) > 0.95


def test_a_damaged_heic_gets_a_sentence() -> None:
    for file in (HEIC.read_bytes()[:900], HEIC.read_bytes()[:40], b"\0\0\0\x20ftypavif" + bytes(200)):
        told = "a.heic is a HEIC or AVIF that cannot be read; save it as JPEG or PNG."
        with pytest.raises(DrawingError, match=f"^{re.escape(told)}$"):
            open_digits(file, "a.heic")


# A process of its own, as a class has it: twenty threads, each with three pictures.
CLASS = """
import re, sys, threading
from pathlib import Path
from scipy import ndimage, sparse
from explorer.views.draw import _read_file, _reader
resident = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
file = Path(sys.argv[1]).read_bytes()
_reader.submit(_read_file, file, "a", True, False).result()
before = resident()
def session():
    for _ in range(3):
        assert len(_reader.submit(_read_file, file, "a", True, False).result()) == 1
sessions = [threading.Thread(target=session) for _ in range(20)]
for each in sessions: each.start()
for each in sessions: each.join()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what a process takes is read from /proc")
def test_a_class_with_pictures_takes_no_more_memory_than_one_picture(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(saved(photographed(page(1200, rules="-|", grey=170)), "JPEG", quality=70))
    command = [sys.executable, "-c", CLASS, str(tmp_path / "photo.jpg")]
    megabytes = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert float(megabytes) < 20
