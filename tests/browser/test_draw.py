"""Drawing, in a real Chromium, with mouse, finger and keyboard: judged by what is on the screen."""

import base64
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from explorer.drawing import rasterize
from tests.browser.conftest import (
    WIDGETS_ARE_THERE,
    assert_models_answer_the_picture,
    draw,
    drawn,
    form,
    is_as_opened,
    leave,
    on_screen,
    open_link,
    painted,
    wait_for_form,
    wait_until_idle,
    wait_until_painted,
)
from tests.conftest import ROOT, likeness, png_header
from training.experiments import Experiment

pytestmark = pytest.mark.browser

SEVEN = [(60, 60), (200, 60), (120, 230)]  # in the pad's units
HEIC = ROOT / "tests" / "unit" / "seven.heic"
MODELS = ("autoencoder", "vae")


@pytest.fixture(scope="module", autouse=True)
def leave_no_drawing(tab: Page) -> Iterator[None]:
    """Empty the page after these tests: a drawing is in the session, not in the address."""
    yield
    leave(tab)


def open_pad(page: Page, address: str) -> None:
    """Open Draw with a pad on which nothing was drawn yet."""
    if is_as_opened(page) and page.url.startswith(address):
        open_link(page, f"{address}/?tab=Draw")
        pad = page.locator(".pad")
        pad.wait_for()
        if (clear := pad.get_by_role("button", name="Clear", exact=True)).is_enabled():
            clear.click()
        expect(page.get_by_text("Nothing drawn")).to_have_count(3)
        open_link(page, address)  # the pad forgets what can be undone
        expect(pad).to_have_count(0)
    open_link(page, f"{address}/?tab=Draw")
    expect(page.get_by_text("Nothing drawn")).to_have_count(3)
    expect(page.locator(".pad .hint")).to_be_visible()
    page.locator(".st-key-upload [data-testid=stFileUploaderDropzone]").wait_for()  # its script comes late
    page.wait_for_function(WIDGETS_ARE_THERE)
    wait_until_idle(page)


def boxes(page: Page) -> list[object]:
    """Where the page's elements stand, but for an uploader that was replaced: hidden, it stays until the run ends."""
    script = "es => es.map(e => e.getBoundingClientRect()).map(b => [b.x, b.y, b.width, b.height])"
    elements = '.stMain [data-testid="stElementContainer"]:not([data-retained]), .stMain .card'
    return list(page.locator(elements).evaluate_all(script))


@pytest.mark.parametrize(("width", "height", "theme"), [(1280, 800, "light"), (1920, 1080, "dark")])
def test_mouse_draws_and_moves_nothing_on_the_page(
    theme: Any, width: int, height: int, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    open_pad(page, served)
    before = boxes(page)
    draw(page, SEVEN)
    wait_for_form(page, form(SEVEN))
    assert_models_answer_the_picture(page, fitted, experiment)
    inside = np.s_[20:260, 20:260]  # its corners are round
    there, meant = painted(page)[inside], rasterize([[60, 60, 200, 60, 120, 230]])[inside]
    assert np.corrcoef(there.ravel(), meant.ravel())[0, 1] > 0.95
    assert boxes(page) == before
    # Nothing is cut off, and all of it is on the first screen, but for the small print.
    main = page.locator(".stMain").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert main[0] == main[1]
    for picture in page.locator(".stMain figure, .stMain .pad button, .stMain .card img").all():
        box = picture.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height


def test_it_is_encoded_while_one_draws(page: Page, served: str) -> None:
    open_pad(page, served)
    first, corner, last = on_screen(page, SEVEN)
    page.mouse.move(*first)
    page.mouse.down()
    page.mouse.move(*corner, steps=10)
    wait_for_form(page, form(SEVEN[:2]), 0.9)  # the button is still down
    page.mouse.move(*last, steps=10)
    wait_for_form(page, form(SEVEN))
    page.mouse.up()
    wait_for_form(page, form(SEVEN))


def test_finger_draws_and_does_not_scroll(touch_page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    page = touch_page
    page.set_viewport_size({"width": 1024, "height": 600})
    open_pad(page, served)
    session = page.context.new_cdp_session(page)
    ends = [np.array(point) for point in on_screen(page, SEVEN)]
    way = [start + (end - start) * step / 10 for start, end in pairwise(ends) for step in range(11)]
    for kind, points in (
        ("touchStart", way[:1]),
        *(("touchMove", [point]) for point in way[1:]),
        ("touchEnd", []),
    ):
        touches = [{"x": float(point[0]), "y": float(point[1])} for point in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    wait_for_form(page, form(SEVEN))
    assert page.locator(".stMain").evaluate("e => e.scrollTop") == 0
    assert_models_answer_the_picture(page, fitted, experiment)


def test_keyboard_draws_undoes_and_clears(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_pad(page, served)
    pad = page.get_by_role("application", name="Drawing pad")
    pad.focus()
    page.keyboard.press("Tab")  # away and back, as the keyboard comes to it
    page.keyboard.press("Shift+Tab")
    expect(pad).to_be_focused()
    # From the middle, (140, 140): right 64, then, both keys held, slantwise down and left 64.
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.down("ArrowDown")
    page.keyboard.down("ArrowLeft")  # the first step of two keys
    for _ in range(6):
        page.keyboard.down("ArrowLeft")  # as a held key repeats
    page.keyboard.up("ArrowLeft")
    page.keyboard.up("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")  # the pen is up: it draws nothing
    stroke = [(140, 140), (204, 140), (204, 148), (148, 204)]
    wait_for_form(page, form(stroke), 0.995)
    assert_models_answer_the_picture(page, fitted, experiment)
    # A dot with small steps, undone by Ctrl+Z; then all of it deleted, and that undone, too.
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    wait_for_form(page, form(stroke, [(158, 196)]), 0.995)
    page.keyboard.press("Control+z")
    wait_for_form(page, form(stroke), 0.995)
    page.keyboard.press("Delete")
    expect(page.get_by_text("Nothing drawn")).to_have_count(3)
    page.keyboard.press("Control+z")
    wait_for_form(page, form(stroke), 0.995)


def test_undo_and_clear(page: Page, served: str) -> None:
    open_pad(page, served)
    undo, clear = (page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Clear"))
    expect(undo).to_be_disabled()
    expect(clear).to_be_disabled()
    dash = [(90, 150), (190, 150)]
    draw(page, SEVEN)
    draw(page, dash)
    wait_for_form(page, form(SEVEN, dash))
    both = painted(page)
    undo.click()
    wait_for_form(page, form(SEVEN))
    assert painted(page).sum() < both.sum() - 100
    clear.click()
    expect(page.get_by_text("Nothing drawn")).to_have_count(3)
    expect(page.locator(".map-overlay .pick")).to_have_count(0)
    assert painted(page)[100:180, :40].max() == 0
    undo.click()
    undo.click()
    expect(page.locator(".pad .hint")).to_be_visible()
    expect(page.get_by_text("Nothing drawn")).to_have_count(3)
    expect(undo).to_be_disabled()


def test_it_survives_other_tabs_and_can_still_be_undone(page: Page, served: str) -> None:
    open_pad(page, served)
    dash = [(90, 150), (190, 150)]
    draw(page, SEVEN)
    draw(page, dash)
    wait_for_form(page, form(SEVEN, dash))
    before = painted(page)
    page.get_by_role("radio", name="Generate").click()
    expect(page.locator('img[data-name="vae-prior-1"]')).to_be_visible()
    page.get_by_role("radio", name="Draw").click()
    wait_for_form(page, form(SEVEN, dash))
    wait_until_painted(page, before)
    page.keyboard.press("Control+z")
    wait_for_form(page, form(SEVEN))


def photograph() -> bytes:
    """Dark ink on grey paper."""
    ink = np.pad(rasterize([[60, 60, 200, 60, 120, 230]]), 100)
    buffer = io.BytesIO()
    Image.fromarray((200 - 160 * ink).astype(np.uint8)).save(buffer, "jpeg")
    return buffer.getvalue()


def test_uploaded_picture_lies_on_the_pad_and_can_be_drawn_on(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_pad(page, served)
    places = boxes(page)
    uploader = page.locator('.st-key-upload input[type="file"]')
    uploader.set_input_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photograph()})
    wait_for_form(page, form(SEVEN))
    assert_models_answer_the_picture(page, fitted, experiment)
    assert boxes(page) == places
    picture, before = drawn(page), str(page.locator('img[data-name="drawn"]').get_attribute("src"))
    pad = np.asarray(Image.fromarray((painted(page) * 255).astype(np.uint8)).resize((28, 28), Image.Resampling.BOX))
    assert likeness(pad, picture) > 0.95
    draw(page, [(60, 150), (220, 150)])
    expect(page.locator('img[data-name="drawn"]')).not_to_have_attribute("src", before)
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_for_form(page, picture, 0.9999)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("Nothing drawn")).to_have_count(3)


def test_bad_file_is_told_without_moving_the_page(page: Page, served: str) -> None:
    open_pad(page, served)
    before = boxes(page)
    uploader = page.locator('.st-key-upload input[type="file"]')
    uploader.set_input_files({"name": "five.png", "mimeType": "image/png", "buffer": b"This is no picture."})
    expect(page.get_by_role("alert")).to_contain_text("five.png is no picture that can be read here")
    assert boxes(page) == before
    uploader.set_input_files(
        {
            "name": "a picture with a long name, and vast.png",
            "mimeType": "image/png",
            "buffer": png_header(10_000, 5_000),
        }
    )
    expect(page.get_by_role("alert")).to_contain_text("vast.png has 50 megapixels (10000 x 5000)")
    assert boxes(page) == before
    draw(page, SEVEN)
    wait_for_form(page, form(SEVEN))
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("event", "name", "kind"),
    [("paste", "image.jpg", "image/jpeg"), ("drop", "image.jpg", "image/jpeg"), ("paste", "IMG_1.HEIC", "")],
)
def test_picture_is_pasted_or_dropped(
    event: str, name: str, kind: str, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    content = photograph() if kind else HEIC.read_bytes()  # not every system knows the type of a HEIC
    open_pad(page, served)
    page.evaluate(
        """([kind, content, name, type]) => {
            const data = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
            data.items.add(new File([bytes], name, {type}));
            const event = kind === "paste"
                ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
                : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
            (kind === "paste" ? document.body : document.querySelector(".pad canvas")).dispatchEvent(event);
        }""",
        [event, base64.b64encode(content).decode(), name, kind],
    )
    wait_for_form(page, form(SEVEN))
    assert_models_answer_the_picture(page, fitted, experiment)


def test_pad_leaves_nothing_behind(page: Page, served: str) -> None:
    """Coming and going, it ends as it began: one pad, one report a stroke."""
    open_pad(page, served)
    for _ in range(2):
        page.get_by_role("radio", name="Generate").click()
        expect(page.locator(".pad")).to_have_count(0)
        page.get_by_role("radio", name="Draw").click()
        expect(page.locator(".pad")).to_have_count(1)
        wait_until_idle(page)
    dash = [(90, 150), (190, 150)]
    draw(page, SEVEN)
    draw(page, dash)
    wait_for_form(page, form(SEVEN, dash))
    page.keyboard.press("Control+z")  # heard once
    wait_for_form(page, form(SEVEN))


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1366, 768)])
def test_what_erases_is_in_sight(width: int, height: int, page: Page, served: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_link(page, f"{served}/?tab=Draw")
    page.locator(".pad canvas").wait_for()
    wait_until_idle(page)
    viewer = page.locator(".st-key-viewer").bounding_box()
    assert viewer
    for name in ("Undo", "Clear"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box
        assert box["y"] + box["height"] <= viewer["y"] + viewer["height"]


def test_what_is_below_the_pad_can_be_read_on_a_tablet_and_on_a_phone(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 820, "height": 1180})
    open_pad(page, served)
    draw(page, SEVEN)
    wait_for_form(page, form(SEVEN))
    columns = [box["width"] for part in page.locator(".st-key-drawn .stColumn").all() if (box := part.bounding_box())]
    assert len(columns) == 4
    assert min(columns) > 300
    legend = page.locator(".st-key-classes button[data-symbol]")
    chips = [box["y"] for chip in legend.all() if (box := chip.bounding_box())]
    assert len(chips) == 10
    assert len(set(chips)) == 1
    page.set_viewport_size({"width": 390, "height": 844})
    nearest = [box for image in page.locator(".card.near img").all() if (box := image.bounding_box())]
    assert nearest
    for box in nearest:
        assert box["width"] == pytest.approx(box["height"], abs=1)
