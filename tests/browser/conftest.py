"""What the tests in Chromium share: the browser, its pages, and hands and eyes on them."""

import base64
import io
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import (
    Browser,
    CDPSession,
    Locator,
    Page,
    ViewportSize,
    WebSocket,
    WebSocketRoute,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from explorer import latent
from explorer.drawing import SIDE, mnist_form, rasterize
from explorer.evaluation import evaluate_pair, write_evaluation
from explorer.models import open_models
from tests.conftest import cannot_run, likeness, once, rewrite, shared_server
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path
from training.classifier import load_classifier
from training.experiments import Experiment
from training.folders import checkpoints_dir, data_dir

# Nothing is measured by it: who waits for what never comes fails later. Beside other work on two cores half was short.
PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)
WINDOW: ViewportSize = {"width": 1280, "height": 800}  # a beamer's
ELSEWHERE = "latent.school.test"  # another name of this computer, in this browser
FAILED = pytest.StashKey[bool]()


NO_BROWSER = (
    "no Chromium found, so nothing is tested in a browser: `apt install chromium`, or `playwright install chromium`"
)


@pytest.fixture(scope="session")
def served(fitted: Path) -> str:
    """The app on a fitted experiment, on one whose images are not there, and on a broken one."""

    def make(checkpoints: Path) -> None:
        shutil.copytree(fitted, checkpoints)
        shutil.copytree(fitted / "digits-2d", checkpoints / "no-images")
        for model in MODEL_NAMES:
            path = checkpoint_path(checkpoints / "no-images", model)
            rewrite(path, lambda arrays, settings: settings["experiment"].update(dataset="kmnist"))
        pair = open_models(checkpoints / "digits-2d")
        classifier, _ = load_classifier(fitted, "digits")
        write_evaluation(checkpoints / "digits-2d", evaluate_pair(pair, classifier, lambda told: None))
        (checkpoints / "broken").mkdir()
        (checkpoints / "broken" / "autoencoder.safetensors").write_bytes(b"nonsense")

    checkpoints = once("served", make)
    return shared_server("server", checkpoints, checkpoints / "no-data")


@pytest.fixture(scope="session")
def shipped() -> str:
    """The app on the shipped checkpoints and the images that come along."""
    return shared_server("shipped", checkpoints_dir(), data_dir())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: Debian's, or Playwright's own."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        own = Path(playwright.chromium.executable_path)
        if not found and not own.exists():
            cannot_run(NO_BROWSER)
        # Root (a container) needs --no-sandbox; nothing is opened but the app itself.
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        arguments.append(f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1")
        chromium = playwright.chromium.launch(executable_path=found or own, args=arguments)
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note which tests fail, for the fixtures that tidy up after them."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Page]:
    """A page for many tests: scripts that it has compiled once, it opens in half the time and half the work."""
    with browser.new_context() as context:
        yield heard(context.new_page())


@pytest.fixture(scope="session")
def touch_tab(browser: Browser) -> Iterator[Page]:
    """`tab` with a touch screen."""
    with browser.new_context(has_touch=True) as context:
        yield heard(context.new_page())


@pytest.fixture
def page(tab: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page, in a window as large as a beamer's; any error in its scripts fails the test.

    It may show the app already, as a test before has left it: `open_link` then goes on from there. A test that leaves
    something that no address holds, or wants to see the app load, takes `fresh_page`.
    """
    with watched(tab, request.node) as page:
        yield page


@pytest.fixture
def fresh_page(tab: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A `page` that is empty before the test, and after it."""
    with empty(tab), watched(tab, request.node) as page:
        yield page


@pytest.fixture
def touch_page(touch_tab: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tablet's `page`."""
    with watched(touch_tab, request.node) as page:
        yield page


@pytest.fixture
def own_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A `page` with a history and a graphics memory of its own. Its first opening costs twice that of `page`."""
    with browser.new_context() as context, watched(heard(context.new_page()), request.node) as page:
        yield page


@contextmanager
def watched(page: Page, test: pytest.Item | None = None, *, may_fail: bool = False) -> Iterator[Page]:
    """A page in a beamer's window; any error in its scripts, and any exception that the app shows, fails the test.

    After a failed test its text is printed, and it is emptied.
    """
    errors: list[str] = []

    def note(error: Exception) -> None:
        errors.append(str(error))

    look_as_usual(page)
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", note)
    WIRES[page].exceptions.clear()
    yield page
    page.remove_listener("pageerror", note)
    page.unroute_all()
    failures = [*errors, *WIRES[page].exceptions]
    if failures or (test is not None and test.stash.get(FAILED, False)):
        with suppress(PlaywrightError):  # it has crashed
            print(f"The page, {page.url}, said:\n{page.evaluate('document.body.innerText')}")
        leave(page)
    look_as_usual(page)
    page.mouse.move(0, 0)
    assert failures == [] or may_fail


def look_as_usual(page: Page) -> None:
    """Give a page the window and the theme that tests begin with."""
    page.set_viewport_size(WINDOW)
    page.emulate_media(color_scheme="light")


@contextmanager
def empty(page: Page) -> Iterator[None]:
    """A page that is empty before and afterwards, so that it is loaded anew."""
    leave(page)
    yield
    leave(page)


def leave(page: Page) -> None:
    """Empty a page, and what the app has kept in it."""
    if page.url.startswith("http"):
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.goto("about:blank")


@contextmanager
def before_its_scripts(page: Page, script: str) -> Iterator[None]:
    """Run a script in each page that is opened here, before the page's own; Playwright cannot take one back."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.enable")
    added = devtools.send("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        with empty(page):
            yield
    finally:
        devtools.send("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]})
        devtools.detach()


CLOUDS = "chart._fullData.filter(t => t.type === 'scattergl' && t.name !== 'label')"
MODELS = {"autoencoder": "ae", "vae": "vae"}


# Scripts of some widgets come late.
WIDGETS_ARE_THERE = """() => !document.querySelector('.stSkeleton, [data-testid="stSkeleton"]')
    && [...document.querySelectorAll(".stMain :is(.stSlider, .stNumberInput)")].every(e => e.querySelector("input"))"""
# Choices that the charts of the maps depend on; all others change only what lies over them, or stands beside.
OF_CHARTS = ("experiment", "beta", "plane", "rightwards", "upwards", "codes", "reading", "present")
DRAWN_ANEW = """() => {
    const chart = document.querySelector(".st-key-map_vae .js-plotly-plot");
    return chart?._fullData && chart._fullData !== globalThis.before;
}"""


def open_link(page: Page, address: str) -> None:
    """Open a link.

    A page that shows these maps already goes there as it goes back, without loading anything: that spares four fifths
    of the work. What the address does not hold stays.
    """
    # The tour makes choices on arrival, in a second run; a click within moments of that would overtake them.
    is_tour = "tab=Learn" in address
    if is_as_opened(page) and charts_of(page.url) == charts_of(address) and not is_tour:
        go_to(page, address)
    else:
        leave(page)
        page.goto(address)
        page.evaluate("globalThis.isOpened = true")


def open_map(page: Page, address: str, chart: str = "map_vae") -> None:
    """Open a link, and wait for a map."""
    open_link(page, address)
    # A first page of a new server computes the map, where others may want both cores, too.
    page.locator(f".st-key-{chart} .map-overlay").wait_for(state="attached", timeout=90_000)
    wait_until_idle(page)
    page.wait_for_function(WIDGETS_ARE_THERE)


def is_as_opened(page: Page) -> bool:
    """Whether a page shows the app in the window and theme that tests begin with, opened by `open_link`."""
    is_opened = "globalThis.isOpened === true && !matchMedia('(prefers-color-scheme: dark)').matches"
    return page.viewport_size == WINDOW and bool(page.evaluate(is_opened))


def charts_of(address: str) -> tuple[object, ...]:
    """Which charts the maps of a link are: the server, and the choices that they depend on."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    return (parts.netloc, *(query.get(name) for name in OF_CHARTS))


def face_of(address: str) -> str:
    """What the maps of a link show, which changes no more than their charts."""
    return parse_qs(urlsplit(address).query).get("face", ["codes"])[0]


# The message that ends a run is followed by what React makes of it, and by what the overlays draw then.
DRAWN = "async () => { for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame); }"


def go_to(page: Page, address: str) -> None:
    """Go to another view as Back and Forward do, in a page that shows the app."""
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur(); document.querySelector('.stMain').scrollTo(0, 0)")
    wait_until_idle(page)
    is_drawn_anew = face_of(page.url) != face_of(address)
    if is_drawn_anew:
        in_chart(page, "map_vae", "globalThis.before = chart._fullData; return 0")
    with WIRES[page].until_run_ends():
        page.evaluate(
            """address => {
                History.prototype.pushState.call(history, history.state, "", address);
                dispatchEvent(new PopStateEvent("popstate", {state: history.state}));
            }""",
            address,
        )
    if is_drawn_anew:
        page.wait_for_function(DRAWN_ANEW)
    page.evaluate(DRAWN)


def in_chart(page: Page, chart: str, script: str) -> Any:
    """Evaluate a script in which `chart` is Plotly's graph div."""
    return page.evaluate(
        f"(() => {{ const chart = document.querySelector('.st-key-{chart} .js-plotly-plot'); {script} }})()"
    )


def pixel_of(page: Page, chart: str, x: float, y: float) -> tuple[float, float]:
    """Where a point of the plane stands on the screen, by Plotly's own conversion."""
    left, top = in_chart(
        page,
        chart,
        f"""const box = chart.getBoundingClientRect(), {{xaxis, yaxis}} = chart._fullLayout;
        return [box.left + xaxis._offset + xaxis.d2p({x}), box.top + yaxis._offset + yaxis.d2p({y})];""",
    )
    return left, top


def point_at(page: Page, chart: str, left: float, top: float) -> tuple[float, float]:
    """Which point of the plane stands at a pixel, by Plotly's own conversion."""
    x, y = in_chart(
        page,
        chart,
        f"""const box = chart.getBoundingClientRect(), {{xaxis, yaxis}} = chart._fullLayout;
        return [xaxis.p2d({left} - box.left - xaxis._offset), yaxis.p2d({top} - box.top - yaxis._offset)];""",
    )
    return x, y


def centre(page: Page, chart: str) -> tuple[float, float]:
    """The middle of what a map shows."""
    ranges = "const {xaxis, yaxis} = chart._fullLayout; return [xaxis.range, yaxis.range]"
    x, y = (sum(ends) / 2 for ends in in_chart(page, chart, ranges))
    return x, y


def middle(shape: Locator) -> tuple[float, float]:
    """Where a shape stands on the screen."""
    left, top = shape.evaluate(
        "e => { const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }"
    )
    return left, top


def wait_until(page: Page, check: Callable[[], None]) -> None:
    """Until a check, which may be made any number of times, passes; it fails the test if it never does."""
    for _ in range(PATIENCE // 100):
        with suppress(AssertionError):
            return check()
        page.wait_for_timeout(100)
    return check()


def wait_at(shape: Locator, left: float, top: float) -> None:
    """Until a shape stands at a pixel: marks follow the server's answer."""
    wait_over(shape, lambda: (left, top))


def wait_over(shape: Locator, place: Callable[[], tuple[float, float]]) -> None:
    """Until a shape stands at a pixel that may move itself, as marks do while they are drawn anew."""

    def check() -> None:
        assert middle(shape) == pytest.approx(place(), abs=1.5)

    wait_until(shape.page, check)


def seen(page: Page, name: str) -> np.ndarray:
    """The 28 x 28 picture as it stands on the screen, pixels in [0, 1]."""
    image = page.locator(f'img[data-name="{name}"]')
    picture = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("L")) / 255
    rows, columns = ((np.arange(28) + 0.5) * side / 28 for side in picture.shape)
    return picture[np.ix_(rows.astype(int), columns.astype(int))]


def expect_picture(page: Page, name: str, expected: np.ndarray, atol: float) -> None:
    """Until this picture stands on the screen, pixels in [0, 1]."""
    wait_until(page, lambda: np.testing.assert_allclose(seen(page, name), expected, rtol=0, atol=atol))


def decode(fitted: Path, experiment: Experiment, model: str, point: tuple[float, float]) -> np.ndarray:
    network = Checkpoint(checkpoint_path(fitted / experiment.name, model)).load_network()
    return network.decode(torch.tensor([point], dtype=torch.float32)).sigmoid()[0].numpy()


def on_screen(page: Page, points: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Points of the pad in the page's pixels."""
    box = page.locator(".pad canvas").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(box["height"], abs=1)
    return [(box["x"] + x * box["width"] / SIDE, box["y"] + y * box["height"] / SIDE) for x, y in points]


def draw(page: Page, points: list[tuple[int, int]]) -> None:
    """A stroke of the mouse."""
    first, *others = on_screen(page, points)
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=10)
    page.mouse.up()


def form(*strokes: list[tuple[int, int]]) -> np.ndarray:
    """What strokes are in MNIST's form."""
    found = mnist_form(rasterize([[each for point in stroke for each in point] for stroke in strokes]))
    assert found is not None
    return found


def painted(page: Page) -> np.ndarray:
    """What is on the pad, ink as 1: (SIDE, SIDE)."""
    shot = page.locator(".pad canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("L").resize((SIDE, SIDE))) / 255


def wait_until_painted(page: Page, expected: np.ndarray) -> None:
    """Until the pad looks so: a tool that was just opened may still be drawn by the browser."""
    inside = np.s_[8:-8, 8:-8]  # without the round corners, which are smoothed by the pad's place in parts of a pixel

    def check() -> None:
        np.testing.assert_allclose(painted(page)[inside], expected[inside], rtol=0, atol=0.02)

    wait_until(page, check)


def drawn(page: Page) -> np.ndarray:
    """The picture in MNIST's form, bit by bit: uint8 (28, 28)."""
    address = str(page.locator('img[data-name="drawn"]').get_attribute("src"))
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def wait_for_form(page: Page, expected: np.ndarray, at_least: float = 0.97) -> None:
    """Until what is shown in MNIST's form is this, but for the pixels that the screen rounds to."""
    expect(page.locator('img[data-name="drawn"]')).to_be_visible()

    def check() -> None:
        assert likeness(drawn(page), expected) > at_least

    wait_until(page, check)
    wait_until_idle(page)


def assert_models_answer_the_picture(page: Page, fitted: Path, experiment: Experiment) -> None:
    """What comes back is the decode of the code of the picture shown, and the cross stands at that code."""
    picture = drawn(page)
    expect_picture(page, "drawn", picture / 255, 0.02)
    for name in MODEL_NAMES:
        model = Checkpoint(checkpoint_path(fitted / experiment.name, name)).load_network()
        with torch.inference_mode():
            x, y = model.encode(torch.as_tensor(picture / 255, dtype=torch.float32)[None])[0].tolist()
        np.testing.assert_allclose(
            seen(page, f"reconstruction-{name}"), decode(fitted, experiment, name, (x, y)), atol=0.02
        )
        chart = f"map_{name}"
        wait_at(page.locator(f".st-key-{chart} .map-overlay .pick").last, *pixel_of(page, chart, x, y))


def wait_for_input(page: Page, label: str, value: float) -> None:
    """Until an input has a value, which it shows with three decimals."""
    field = page.get_by_label(label, exact=True)

    def check() -> None:
        assert float(field.input_value()) == pytest.approx(value, abs=0.0011)

    wait_until(page, check)


def wait_until_idle(page: Page) -> None:
    page.wait_for_function("document.querySelector('.stApp').dataset.testScriptState === 'notRunning'")


def zoom_and_pan(page: Page, chart: str) -> None:
    """With the mouse, each until Plotly says that it has settled."""
    left, top = pixel_of(page, chart, *centre(page, chart))
    before = in_chart(page, chart, "return chart._fullLayout.xaxis.range")
    settled = "chart.settled = new Promise((resolve) => chart.once('plotly_relayout', resolve)); return 0"
    in_chart(page, chart, settled)
    page.mouse.move(left, top)
    page.mouse.wheel(0, -300)
    in_chart(page, chart, "return chart.settled.then(() => 0)")
    in_chart(page, chart, settled)
    page.mouse.down()
    page.mouse.move(left + 60, top - 35, steps=5)
    page.mouse.up()
    in_chart(page, chart, "return chart.settled.then(() => 0)")
    after = in_chart(page, chart, "return chart._fullLayout.xaxis.range")
    assert after[1] - after[0] < before[1] - before[0]


RANGE = "const {xaxis, yaxis} = chart._fullLayout; return [...xaxis.range, ...yaxis.range]"


THERE = "globalThis.latentAtlases?.has('map_autoencoder') && latentAtlases.has('map_vae')"


def open_lens(page: Page, address: str) -> None:
    open_map(page, address)
    page.wait_for_function(THERE)
    wait_until_idle(page)


def part(page: Page, chart: str, across: float, down: float) -> tuple[int, int]:
    """A pixel of a map, in whole pixels, as mice have them."""
    box = page.locator(f".st-key-{chart} .nsewdrag").bounding_box()
    assert box
    return round(box["x"] + across * box["width"]), round(box["y"] + down * box["height"])


def wait_for_width(page: Page, width: float) -> None:
    """Until so much of the plane is shown, and Plotly has settled."""
    script = "const {xaxis} = chart._fullLayout; return [xaxis.range[1] - xaxis.range[0], xaxis._rl[1] - xaxis._rl[0]]"

    def check() -> None:
        assert in_chart(page, "map_vae", script) == pytest.approx([width, width], rel=0.02)

    wait_until(page, check)


WORDS = '.card.pick:has(img[data-name="pick-vae"]) > :last-child'  # beside the picture of the VAE's map


def middle_of(fitted: Path, experiment: Experiment) -> tuple[float, float]:
    """Of the VAE's map, to three decimals."""
    area = latent.window(Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).codes().code)
    return round(area.left + area.side / 2, 3), round(area.bottom + area.side / 2, 3)


def told(page: Page, model: str = "vae") -> tuple[str, list[float]]:
    """The caption of the picture: its words, and its coordinates."""
    caption = page.locator(f'figure:has(img[data-name="pick-{model}"]) figcaption').inner_text()
    numbers = re.findall(r"−?[\d.]+(?:e[+−]?\d+)?", caption)
    return caption.split(":")[0], [float(number.replace("−", "-")) for number in numbers]


def words_of(page: Page) -> str:
    """The coordinates in the caption, as text."""
    return page.locator('figure:has(img[data-name="pick-vae"]) figcaption').inner_text().split(": ")[1]


def expect_lens(page: Page, by: str, fitted: Path, experiment: Experiment, point: tuple[float, float]) -> None:
    """The lens shows the decode of a point of the VAE's map, and says where it is."""
    expect(page.locator('figure:has(img[data-name="pick-vae"]) figcaption')).to_contain_text(f"under the {by}: (")
    words, numbers = told(page)
    assert words == f"under the {by}"
    assert numbers == pytest.approx(point, rel=0.006, abs=0.006)
    # At once: caption and picture come in one frame.
    np.testing.assert_allclose(seen(page, "pick-vae"), decode(fitted, experiment, "vae", point), atol=0.03)
    expect(page.locator(f"{WORDS} h5")).to_have_text(f"Decoded at {words_of(page)}")  # the words are of this point


def expect_pick(page: Page, fitted: Path, experiment: Experiment) -> None:
    """The picture is that of the VAE's pick."""
    expect(page.locator('figure:has(img[data-name="pick-vae"]) figcaption')).to_have_text("your pick")
    x, y = (float(page.get_by_label(f"VAE pick, {axis}", exact=True).input_value()) for axis in "xy")
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (x, y)), 0.02)
    expect(page.locator(f"{WORDS} h5")).to_have_text(re.compile(r"Decoded at \("))


PICK = ("VAE pick, x", "VAE pick, y", "Ringed test image")


def pick_of(page: Page) -> tuple[str, ...]:
    """The VAE's pick and the ringed image, as their inputs hold them."""
    return tuple(page.get_by_label(label, exact=True).input_value() for label in PICK)


def pick_on_map(page: Page, place: tuple[float, float]) -> tuple[str, ...]:
    """Click the VAE's map, until the words, the inputs and the address hold that point; return what the inputs hold.

    They follow one after the other: an input may still show the pick before when no run goes on any more.
    """
    point = point_at(page, "map_vae", *place)
    with WIRES[page].until_run_ends():
        page.mouse.click(*place)
    page.mouse.move(5, 5)

    def check() -> None:
        said = re.search(r"\(image (\d+)\)", page.locator(WORDS).inner_text())
        assert said
        expected = pytest.approx((*point, int(said[1])), abs=0.0011)
        assert tuple(map(float, pick_of(page))) == expected
        held = parse_qs(urlsplit(page.url).query)
        assert tuple(float(held[name][0]) for name in ("vae_x", "vae_y", "digit")) == expected

    wait_until(page, check)
    wait_until_idle(page)
    return pick_of(page)


class Fingers:
    """On a touch screen; each call says where all of them are."""

    def __init__(self, page: Page) -> None:
        self.devtools: CDPSession = page.context.new_cdp_session(page)

    def down(self, *places: tuple[float, float]) -> None:
        self._send("touchStart", places)

    def move(self, *places: tuple[float, float]) -> None:
        self._send("touchMove", places)

    def up(self) -> None:
        self._send("touchEnd", ())

    def _send(self, kind: str, places: tuple[tuple[float, float], ...]) -> None:
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        self.devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def saved(page: Page, act: Callable[[], None]) -> tuple[str, bytes]:
    """The file that something downloads: its name, and what is in it."""
    with page.expect_download() as download:
        act()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def pixels(png: bytes, scale: int = 8) -> np.ndarray:
    """The picture that was enlarged so many times, pixels in [0, 1]; only whole squares will do."""
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    large = np.asarray(image.convert("L"))
    small = large[::scale, ::scale]
    np.testing.assert_array_equal(large, small.repeat(scale, 0).repeat(scale, 1))
    return small / 255


def message(payload: bytes | str) -> ForwardMsg:
    """A message of the server to the browser."""
    parsed = ForwardMsg()
    parsed.ParseFromString(payload if isinstance(payload, bytes) else payload.encode())
    return parsed


ENDS = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


WIRES: WeakKeyDictionary[Page, "Wire"] = WeakKeyDictionary()


def heard(page: Page) -> Page:
    """A new page, what is sent to which is listened to."""
    WIRES[page] = Wire(page)
    return page


class Wire:
    """What the server sends to a page: the exceptions that it shows, and the ends of its runs."""

    def __init__(self, page: Page) -> None:
        self.exceptions: list[str] = []
        self.runs = 0  # that have ended, since the page was last connected
        self.begun: set[str] = set()  # the ids of all runs
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        self.socket = socket
        self.runs = 0
        socket.on("framereceived", self._note)

    def _note(self, payload: bytes | str) -> None:
        self.runs += is_end(payload)
        received = message(payload)
        if received.WhichOneof("type") == "new_session":
            self.begun.add(received.metadata.run.script_run_id)
        element = received.delta.new_element
        if element.WhichOneof("type") == "exception":
            self.exceptions.append(element.exception.message)

    @contextmanager
    def until_run_ends(self) -> Iterator[None]:
        """Wait for the end of a run that begins here; what began before may end meanwhile."""
        earlier = frozenset(self.begun)

        def is_end_of_later(payload: bytes | str) -> bool:
            return is_end(payload) and message(payload).metadata.run.script_run_id not in earlier

        with self.socket.expect_event("framereceived", is_end_of_later):
            yield


class HeldWire:
    """What the server sends to a page that is not opened yet; some of it can be held back, or changed."""

    def __init__(self, page: Page) -> None:
        self.held: list[bytes | str] = []
        self._send: Callable[[bytes | str], None] = lambda payload: None
        self._is_held: Callable[[ForwardMsg], bool] = lambda sent: False
        self._is_busy = False
        page.route_web_socket("**/_stcore/stream", self._relay)

    def _relay(self, browser: WebSocketRoute) -> None:
        def pass_on(payload: bytes | str) -> None:
            if self._is_busy and is_end(payload):
                end = message(payload)
                end.script_finished = ForwardMsg.FINISHED_EARLY_FOR_RERUN
                payload = end.SerializeToString()
            if self.held or self._is_held(message(payload)):  # what follows comes after it
                self.held.append(payload)
            else:
                browser.send(payload)

        self._send = browser.send
        browser.connect_to_server().on_message(pass_on)

    @contextmanager
    def hold(self, is_held: Callable[[ForwardMsg], bool]) -> Iterator[None]:
        """Hold back such messages until the end, and what comes after them."""
        self._is_held = is_held
        yield
        self._is_held = lambda sent: False
        for payload in self.held:
            self._send(payload)
        self.held.clear()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Tell no run's end, as where others follow each at once: what an earlier one has drawn is not taken away."""
        self._is_busy = True
        yield
        self._is_busy = False

    def wait_for_runs(self, page: Page, count: int) -> None:
        """Until so many runs have ended whose messages are held back."""

        def check() -> None:
            assert sum(map(is_end, self.held)) == count

        wait_until(page, check)


def is_end(payload: bytes | str) -> bool:
    found = message(payload)
    return found.WhichOneof("type") == "script_finished" and found.script_finished in ENDS
