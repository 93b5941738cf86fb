"""The live lens with mouse, finger and keyboard, in a real Chromium: what it shows, what it survives, how it fails."""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from playwright.sync_api import Page, Request, WebSocket, expect

from explorer import latent
from explorer.views.explore import FILM_FRAMES
from tests.browser.conftest import (
    MODELS,
    RANGE,
    THERE,
    WORDS,
    Fingers,
    before_its_scripts,
    decode,
    expect_lens,
    expect_pick,
    expect_picture,
    in_chart,
    middle_of,
    open_lens,
    open_map,
    part,
    pixel_of,
    point_at,
    saved,
    seen,
    wait_at,
    wait_for_input,
    wait_for_width,
    wait_until,
    wait_until_idle,
    watched,
    zoom_and_pan,
)
from tests.conftest import streamlit_server
from training.experiments import Experiment

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("face", ["codes", "grid"])
def test_a_finger_looks_and_a_tap_picks(
    face: str, touch_page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    page, fingers = touch_page, Fingers(touch_page)
    open_lens(page, f"{served}/?face={face}")
    before = in_chart(page, "map_vae", RANGE)
    seen(page, "pick-vae")  # scrolls to where it is whole on the screen
    scrolled = page.locator(".stMain").evaluate("e => e.scrollTop")
    place = part(page, "map_vae", 0.3, 0.3)
    fingers.down(place)  # and rests until it is a lens
    expect_lens(page, "finger", fitted, experiment, point_at(page, "map_vae", *place))
    for across in (0.4, 0.55, 0.7):
        place = part(page, "map_vae", across, 0.6)
        fingers.move(place)
        expect_lens(page, "finger", fitted, experiment, point_at(page, "map_vae", *place))
    picked = page.get_by_label("VAE pick, x", exact=True).input_value()
    fingers.up()
    expect_pick(page, fitted, experiment)
    # It was no pan, no scrolling and no click.
    assert in_chart(page, "map_vae", RANGE) == before
    assert page.locator(".stMain").evaluate("e => e.scrollTop") == scrolled
    place = part(page, "map_vae", 0.42, 0.37)
    fingers.down(place)
    fingers.up()
    x, y = point_at(page, "map_vae", *place)
    wait_for_input(page, "VAE pick, x", x)
    wait_for_input(page, "VAE pick, y", y)
    assert page.get_by_label("VAE pick, x", exact=True).input_value() != picked
    wait_until_idle(page)
    expect_pick(page, fitted, experiment)


def test_a_finger_that_does_not_rest_pans(touch_page: Page, served: str) -> None:
    page, fingers = touch_page, Fingers(touch_page)
    open_lens(page, served)
    picked = page.get_by_label("VAE pick, x", exact=True).input_value()
    before = in_chart(page, "map_vae", RANGE)
    left, top = part(page, "map_vae", 0.5, 0.5)

    def drag() -> None:
        """On a busy machine the first move may come so late that it is a look around: once more then."""
        grasped = point_at(page, "map_vae", left, top)
        fingers.down((left, top))
        for step in range(1, 7):
            fingers.move((left + 10 * step, top - 5 * step))
        fingers.up()
        assert pixel_of(page, "map_vae", *grasped) == pytest.approx((left + 60, top - 30), abs=2)

    wait_until(page, drag)
    panned = in_chart(page, "map_vae", RANGE)
    assert panned[1] - panned[0] == pytest.approx(before[1] - before[0])
    # No look, no click.
    expect(page.locator('figure:has(img[data-name="pick-vae"]) .lens')).to_have_count(0)
    wait_until_idle(page)
    assert page.get_by_label("VAE pick, x", exact=True).input_value() == picked


def test_two_fingers_zoom_and_pan(touch_page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    page, fingers = touch_page, Fingers(touch_page)
    open_lens(page, served)
    picked = page.get_by_label("VAE pick, x", exact=True).input_value()
    (left, top), before = part(page, "map_vae", 0.5, 0.5), in_chart(page, "map_vae", RANGE)
    fingers.down((left - 40, top), (left + 40, top))
    for half in (50, 60, 70, 80):
        fingers.move((left - half, top), (left + half, top))
    fingers.up()
    wait_for_width(page, (before[1] - before[0]) / 2)
    zoomed = in_chart(page, "map_vae", RANGE)
    assert sum(zoomed[:2]) == pytest.approx(sum(before[:2]), abs=0.02 * (before[1] - before[0]))

    grasped = point_at(page, "map_vae", left, top)
    fingers.down((left - 40, top), (left + 40, top))
    for step in range(1, 7):
        fingers.move((left - 40 + 10 * step, top - 5 * step), (left + 40 + 10 * step, top - 5 * step))
    fingers.up()

    def map_has_followed() -> None:
        assert pixel_of(page, "map_vae", *grasped) == pytest.approx((left + 60, top - 30), abs=2)

    wait_until(page, map_has_followed)
    panned = in_chart(page, "map_vae", RANGE)
    assert panned[1] - panned[0] == pytest.approx(zoomed[1] - zoomed[0])
    assert page.get_by_label("VAE pick, x", exact=True).input_value() == picked
    # And the lens is right in what they show now.
    place = part(page, "map_vae", 0.4, 0.4)
    fingers.down(place)
    expect_lens(page, "finger", fitted, experiment, point_at(page, "map_vae", *place))
    fingers.up()


@pytest.mark.parametrize("face", ["codes", "grid"])
def test_by_keyboard(face: str, page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    x, y = middle_of(fitted, experiment)
    open_lens(page, f"{served}/?face={face}&vae_x={x}&vae_y={y}")
    layer = page.locator(".st-key-map_vae .map-overlay")
    for _ in range(60):
        page.keyboard.press("Tab")
        if layer.evaluate("e => e === document.activeElement"):
            break
    expect(layer).to_be_focused()
    assert layer.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    expect(layer).to_have_accessible_name(
        re.compile(r"Map of the Variational autoencoder \(VAE\)\. Arrow keys .*Enter")
    )
    width = np.diff(in_chart(page, "map_vae", RANGE)[:2])[0]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    expected = (x + 0.03 * width, y + 0.1 * width)
    expect_lens(page, "cursor", fitted, experiment, expected)
    wait_at(layer.locator(".cursor").last, *pixel_of(page, "map_vae", *expected))
    page.keyboard.press("Escape")
    expect_pick(page, fitted, experiment)
    expect(layer.locator(".cursor")).to_have_count(0)
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    wait_for_input(page, "VAE pick, x", x)
    wait_for_input(page, "VAE pick, y", y - 0.1 * width)
    wait_until_idle(page)
    expect_pick(page, fitted, experiment)
    expect(layer).to_be_focused()
    # Zoom to the cursor, and back.
    page.keyboard.press("+")
    wait_for_width(page, width / 1.25)
    page.keyboard.press("0")
    wait_for_width(page, width)
    # And on to the next thing.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    expect(layer).not_to_be_focused()
    expect(page.get_by_text("under the cursor")).to_have_count(0)


def film(page: Page, model: str = "vae") -> np.ndarray:
    """The frames of the picture that is shown, (n, 28, 28)."""
    address = str(page.locator(f'img[data-name="path-{model}"]').get_attribute("src"))
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))) / 255
    return picture.reshape(2, 28, -1, 28).swapaxes(1, 2).reshape(-1, 28, 28)


def expect_film(
    page: Page, fitted: Path, experiment: Experiment, corners: list[tuple[float, float]], model: str = "vae"
) -> None:
    """The film, its GIF and the line on the map are those of a path."""
    expect(page.locator(f'img[data-name="path-{model}"]')).to_be_visible()
    wait_until_idle(page)
    points = latent.resample_polyline(corners, FILM_FRAMES)
    for frame, point in zip(film(page, model), points, strict=True):
        np.testing.assert_allclose(frame, decode(fitted, experiment, model, tuple(point)), atol=0.02)
    name, content = saved(page, page.locator(f".st-key-gif_{model}").get_by_role("button").click)
    assert name == f"digits-2d-path-{model}.gif"
    opened = Image.open(io.BytesIO(content))
    assert opened.size == (224, 224)
    moving = [np.asarray(each.convert("L"))[::8, ::8] / 255 for each in ImageSequence.Iterator(opened)]
    assert len(moving) > FILM_FRAMES  # and back again
    np.testing.assert_allclose(moving[0], decode(fitted, experiment, model, tuple(points[0])), atol=0.02)
    line = page.locator(f".st-key-map_{model} .map-overlay .path").last
    wait_at(page.locator(f".st-key-map_{model} .map-overlay .at").last, *pixel_of(page, f"map_{model}", *corners[0]))
    box = line.evaluate("e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }")
    pixels = np.array([pixel_of(page, f"map_{model}", *corner) for corner in corners])
    assert box == pytest.approx([*pixels.min(axis=0), *pixels.max(axis=0)], abs=2.5)


def places(page: Page) -> list[object]:
    """Where everything stands but what is drawn on the maps."""
    script = "[...document.querySelectorAll('[data-testid]')].map(e => [e.dataset.testid, e.getBoundingClientRect().y])"
    return list(page.evaluate(script))


@pytest.mark.parametrize("face", ["codes", "grid"])
def test_dragging_draws_a_path_and_shows_its_film(
    face: str, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_lens(page, f"{served}/?face={face}")
    in_chart(page, "map_vae", "chart.sameAsBefore = true; return 0")
    zoom_and_pan(page, "map_vae")
    page.get_by_text("Draw a path").click()
    expect(page.get_by_text("Drag over the map")).to_have_count(2)
    page.wait_for_url(re.compile("path=true"))
    wait_until_idle(page)
    seen(page, "pick-vae")  # scrolls to where it is whole on the screen
    before, stood = in_chart(page, "map_vae", RANGE), places(page)
    picked = page.get_by_label("VAE pick, x", exact=True).input_value()
    corners = [part(page, "map_vae", *place) for place in ((0.2, 0.3), (0.6, 0.2), (0.7, 0.8))]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=8)
    expect_lens(page, "mouse", fitted, experiment, point_at(page, "map_vae", *corners[-1]))
    page.mouse.up()
    page.mouse.move(5, 5)
    points = [point_at(page, "map_vae", *corner) for corner in corners]
    expect_film(page, fitted, experiment, points)
    # The chart neither moved nor came anew; nothing was picked, nothing else moved.
    assert in_chart(page, "map_vae", RANGE) == before
    assert in_chart(page, "map_vae", "return chart.sameAsBefore")
    assert page.get_by_label("VAE pick, x", exact=True).input_value() == picked
    assert places(page) == stood
    expect(page.get_by_text("Drag over the map")).to_have_count(1)
    # A click still picks; with the switch off, dragging pans again and the path is gone.
    page.mouse.click(*part(page, "map_vae", 0.5, 0.5))
    wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *part(page, "map_vae", 0.5, 0.5))[0])
    expect(page.locator('img[data-name="path-vae"]')).to_be_visible()
    page.get_by_text("Draw a path").click()
    expect(page.locator(".film-rows")).to_have_count(0)
    expect(page.locator(".st-key-map_vae .map-overlay .path")).to_have_count(0)
    zoom_and_pan(page, "map_vae")


def test_a_finger_draws_a_path(touch_page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    page, fingers = touch_page, Fingers(touch_page)
    open_lens(page, f"{served}/?path=true")
    corners = [part(page, "map_vae", *place) for place in ((0.3, 0.3), (0.7, 0.4), (0.5, 0.7))]
    fingers.down(corners[0])
    for corner in corners[1:]:
        fingers.move(corner)
    fingers.up()
    expect_film(page, fitted, experiment, [point_at(page, "map_vae", *corner) for corner in corners])


def test_a_path_by_keyboard(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    x, y = middle_of(fitted, experiment)
    open_lens(page, f"{served}/?path=true&vae_x={x}&vae_y={y}")
    layer = page.locator(".st-key-map_vae .map-overlay")
    expect(layer).to_have_accessible_name(re.compile("Enter adds a corner to the path and Shift with Enter ends it"))
    layer.focus()
    width = np.diff(in_chart(page, "map_vae", RANGE)[:2])[0]
    for key in ("Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Enter", "Shift+ArrowUp", "Enter", "Shift+Enter"):
        page.keyboard.press(key)
    expect_film(page, fitted, experiment, [(x, y), (x + 0.2 * width, y), (x + 0.2 * width, y + 0.1 * width)])


def test_a_path_that_leaves_the_map_ends_at_its_edge(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_lens(page, f"{served}/?path=true")
    start, end = part(page, "map_vae", 0.5, 0.5), part(page, "map_vae", 0.5, 1.2)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    x, y = point_at(page, "map_vae", *start)
    expect_film(page, fitted, experiment, [(x, y), (x, in_chart(page, "map_vae", RANGE)[2])])


# Counts the listeners that the components add to what outlives them, and their observers, while they are not removed.
COUNT_LISTENERS = """
    window.listeners = 0;
    const {addEventListener, removeEventListener} = EventTarget.prototype;
    const known = new WeakMap();
    const name = (type, options) => type + (options === true || !!options?.capture);
    EventTarget.prototype.addEventListener = function (type, handler, options) {
        addEventListener.call(this, type, handler, options);
        const lasting = this === window || this === document || this === document.documentElement;
        if (!lasting || !new Error().stack.includes("st-bidi-")) return;
        const mine = known.get(handler) ?? known.set(handler, new Set()).get(handler);
        if (mine.has(name(type, options)) || options?.once) return;
        mine.add(name(type, options));
        window.listeners++;
        options?.signal && addEventListener.call(options.signal, "abort", () => {
            if (mine.delete(name(type, options))) window.listeners--;
        });
    };
    EventTarget.prototype.removeEventListener = function (type, handler, options) {
        removeEventListener.call(this, type, handler, options);
        if (known.get(handler)?.delete(name(type, options))) window.listeners--;
    };
    window.observers = 0;
    for (const kind of ["MutationObserver", "ResizeObserver"]) {
        const {observe, disconnect} = window[kind].prototype;
        const running = new WeakSet();
        window[kind].prototype.observe = function (...all) {
            const ours = new Error().stack.includes("st-bidi-");
            if (ours && !running.has(this)) { running.add(this); window.observers++; }
            return observe.apply(this, all);
        };
        window[kind].prototype.disconnect = function () {
            if (running.delete(this)) window.observers--;
            return disconnect.call(this);
        };
    }
"""


def test_ten_tab_changes_leave_no_listeners_behind(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    with before_its_scripts(page, COUNT_LISTENERS):
        open_lens(page, f"{served}/?face=grid")  # which is drawn in less time
        assert_nothing_is_left_behind(page, fitted, experiment)


def assert_nothing_is_left_behind(page: Page, fitted: Path, experiment: Experiment) -> None:

    def there_and_back() -> None:
        page.get_by_role("radio", name="Interpolate").click()
        page.locator('img[data-name="frame-vae"]').wait_for()
        wait_until_idle(page)
        page.get_by_role("radio", name="Explore").click()
        page.locator('img[data-name="ringed-vae"]').wait_for()
        page.wait_for_function(THERE)
        wait_until_idle(page)

    def left_behind() -> list[int]:
        overlays = "document.querySelectorAll('.map-overlay').length"
        return list(page.evaluate(f"[window.listeners, window.observers, {overlays}]"))

    there_and_back()
    after_one = left_behind()
    assert min(after_one) > 0
    for _ in range(5):
        there_and_back()
    assert left_behind() == after_one
    place = part(page, "map_vae", 0.45, 0.55)
    page.mouse.move(*place)
    expect_lens(page, "mouse", fitted, experiment, point_at(page, "map_vae", *place))
    page.mouse.click(*place)
    wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *place)[0])


KEEP_SOCKETS = """
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...all) { super(...all); window.sockets.push(this); }
    };
"""


def test_survives_theme_resize_and_reconnect(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    with before_its_scripts(page, KEEP_SOCKETS):
        open_lens(page, served)
        assert_survives(page, fitted, experiment)


def assert_survives(page: Page, fitted: Path, experiment: Experiment) -> None:

    def expect_works(across: float) -> None:
        expect(page.locator(".st-key-map_vae .map-overlay")).to_have_count(1)
        page.mouse.move(5, 5)
        place = part(page, "map_vae", across, 0.6)
        page.mouse.move(*place)
        expect_lens(page, "mouse", fitted, experiment, point_at(page, "map_vae", *place))
        page.mouse.click(*place)
        wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *place)[0])
        wait_until_idle(page)
        wait_at(page.locator(".st-key-map_vae .map-overlay .pick").last, *place)

    background = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {background} !== light", arg=light)
    page.locator(".st-key-map_vae .map-overlay").wait_for(state="attached")
    expect_works(0.35)
    before = page.locator(".st-key-map_vae .nsewdrag").bounding_box()
    page.set_viewport_size({"width": 1700, "height": 1000})
    assert before
    page.wait_for_function(
        "before => document.querySelector('.st-key-map_vae .nsewdrag').getBoundingClientRect().width > before * 1.1",
        arg=before["width"],
    )
    wait_until_idle(page)
    expect_works(0.65)
    sockets = page.evaluate("window.sockets.length")
    page.evaluate("window.sockets.at(-1).close()")
    page.wait_for_function("n => window.sockets.length > n && window.sockets.at(-1).readyState === 1", arg=sockets)
    expect_works(0.5)


def test_the_atlas_is_sent_once(fresh_page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    page = fresh_page
    sizes: list[int] = []
    atlases: list[str] = []
    elsewhere: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: sizes.append(len(frame)))

    def note(request: Request) -> None:
        if request.url.endswith(".avif"):
            atlases.append(request.url)
        if not request.url.startswith((served, "data:", "blob:")):
            elsewhere.append(request.url)

    page.on("websocket", listen)
    page.on("request", note)
    open_lens(page, served)
    assert len(atlases) == len(MODELS)
    assert elsewhere == [], "the page asks another server"
    del sizes[:], atlases[:]
    for across in (0.3, 0.4, 0.5, 0.6):
        place = part(page, "map_vae", across, 0.5)
        page.mouse.click(*place)
        wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *place)[0])
        wait_until_idle(page)
    clicks = sum(sizes)
    for name, shown in (("Traverse", "moved-vae"), ("Explore", "pick-vae")) * 2:
        page.get_by_role("radio", name=name).click()
        expect(page.locator(f'img[data-name="{shown}"]')).to_be_visible()
        wait_until_idle(page)
    page.wait_for_function(THERE)
    assert clicks < 4 * 30_000
    assert atlases == []
    place = part(page, "map_vae", 0.4, 0.6)
    page.mouse.move(*place)
    expect_lens(page, "mouse", fitted, experiment, point_at(page, "map_vae", *place))


def still_works_by_numbers(page: Page, fitted: Path, experiment: Experiment, picture: str) -> None:
    for axis, value in (("x", "1.5"), ("y", "-0.3")):
        page.get_by_label(f"VAE pick, {axis}", exact=True).fill(value)
        page.keyboard.press("Enter")
    shown = page.locator(f'img[data-name="{picture}"]')
    expect(shown).to_have_attribute("alt", "VAE: decode of (1.5, −0.3)")
    expect(shown).to_be_visible()
    wait_until_idle(page)
    expect_picture(page, picture, decode(fitted, experiment, "vae", (1.5, -0.3)), 0.02)


@contextmanager
def spoilt(tab: Page, script: str = "") -> Iterator[Page]:
    """A page whose browser lacks something; errors are to be expected."""
    with watched(tab, may_fail=True) as page, before_its_scripts(page, script):
        yield page


@pytest.mark.parametrize(
    "broken",
    [
        "HTMLImageElement.prototype.decode = () => Promise.reject(new Error('no AVIF'))",
        "delete window.OffscreenCanvas",
        "CanvasRenderingContext2D.prototype.putImageData = () => { throw new Error('no canvas') }",
    ],
)
def test_without_a_lens_it_says_so(broken: str, tab: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    with spoilt(tab, broken) as page:
        open_map(page, served)
        page.wait_for_function(THERE)
        page.mouse.move(*part(page, "map_vae", 0.4, 0.5))
        expect(page.locator(".map-answer").last).to_contain_text("The live picture is missing")
        place = part(page, "map_vae", 0.6, 0.5)
        page.mouse.click(*place)
        wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *place)[0])
        page.mouse.move(5, 5)
        still_works_by_numbers(page, fitted, experiment, "pick-vae")


def test_where_the_script_fails_it_says_so_and_numbers_work(
    tab: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    with spoilt(
        tab,
        """
        const {observe} = ResizeObserver.prototype;
        ResizeObserver.prototype.observe = function (element, ...options) {
            if (element.matches(".js-plotly-plot")) throw new Error("spoilt");
            observe.call(this, element, ...options);
        };
        """,
    ) as page:
        page.goto(served)
        expect(page.get_by_text("Clicks and the live picture are missing").first).to_be_visible()
        still_works_by_numbers(page, fitted, experiment, "pick-vae")


NO_WORKERS = """
    const {createObjectURL} = URL;
    URL.createObjectURL = (blob) => blob.type === "text/javascript" ? "blob:nothing" : createObjectURL(blob);
"""
NO_CLICKS = "Clicks on the map and the live picture are missing"


def test_where_no_worker_starts_the_page_says_so_and_numbers_work(
    tab: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    with spoilt(tab, NO_WORKERS) as page:
        page.goto(served)
        expect_told_in_time(page, NO_CLICKS)
        still_works_by_numbers(page, fitted, experiment, "typed-vae")


def test_where_no_chart_loads_the_page_says_so_and_numbers_work(
    tab: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    with spoilt(tab) as page:
        page.route(re.compile("PlotlyChart.*js"), lambda route: route.abort())
        page.goto(served)
        expect_told_in_time(page, "The map cannot be drawn here")
        still_works_by_numbers(page, fitted, experiment, "pick-vae")


def test_where_no_component_loads_the_page_says_so_and_numbers_work(
    tab: Page, fitted: Path, experiment: Experiment, tmp_path: Path
) -> None:
    with streamlit_server(fitted, data_dir=tmp_path) as of_its_own, spoilt(tab) as page:
        page.route(re.compile("BidiComponent.*js"), lambda route: route.abort())
        page.goto(of_its_own)
        expect_told_in_time(page, NO_CLICKS)
        still_works_by_numbers(page, fitted, experiment, "typed-vae")


def expect_told_in_time(page: Page, sentence: str) -> None:
    """What is missing is told once ten seconds have gone by."""
    waiting = page.get_by_text(sentence).first
    expect(waiting).to_be_attached(timeout=90_000)  # the first session of a server waits for the map
    waiting.evaluate(
        """(element) => element.closest('.stElementContainer').getAnimations({subtree: true})
        .forEach((animation) => animation.finish())"""
    )
    expect(waiting).to_be_visible()


def test_at_rest_nothing_is_missing(page: Page, served: str) -> None:
    open_lens(page, served)
    for sentence in ("are missing", "is missing", "cannot be drawn"):
        for found in page.get_by_text(sentence).all():
            expect(found).to_be_hidden()
    expect(page.locator('img[data-name="typed-vae"]')).to_be_hidden()


def test_words_and_original_under_the_mouse_are_those_of_the_server(page: Page, served: str) -> None:
    open_lens(page, served)
    page.wait_for_function("latentCodes.has('map_vae') && latentOriginals.image.complete")
    words, original = page.locator(WORDS), page.locator(f"{WORDS} .original :is(img, canvas)")
    verdicts = set()
    for across, down in ((0.5, 0.5), (0.31, 0.42), (0.62, 0.7), (0.02, 0.03), (0.9, 0.5), (0.45, 0.12), (0.98, 0.97)):
        place = part(page, "map_vae", across, down)
        page.mouse.move(*place)
        expect(page.locator('figure:has(img[data-name="pick-vae"]) figcaption')).to_contain_text("under the mouse")
        said, title = words.inner_text(), words.locator("span[title]").get_attribute("title")
        shown = original.screenshot()
        page.mouse.click(*place)
        wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *place)[0])
        wait_until_idle(page)
        page.mouse.move(5, 5)
        expect(original).to_have_js_property("tagName", "IMG")  # the server's
        assert words.inner_text() == said
        assert words.locator("span[title]").get_attribute("title") == title
        answered, hovered = (
            np.asarray(Image.open(io.BytesIO(each)).convert("L")) for each in (original.screenshot(), shown)
        )
        np.testing.assert_allclose(answered.astype(float), hovered, atol=3)
        verdicts.add(said.split(":")[-2].split("\n")[-1])
    assert len(verdicts) > 1
