"""The app in a real Chromium: time to the first map, mouse to picture, click to answer, slider and drawing to
picture, memory.

A click's picture is the lens': the decode of the point under the mouse. Then comes the server's answer: the same
picture, exact, and the words below it.

The baseline is `usual_app.py`: the same codes and decoder, written the way a first Streamlit app is written. The first
map is compared with the one word of `empty_app.py`, too: less is not possible here.
"""

import shutil
import statistics
import time
from collections.abc import Iterator

import numpy as np
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.parts import part
from benchmarks.server import ADDRESS, server, wait_for_server
from explorer import map_layers
from explorer.maps import Map
from explorer.models import Model, open_models
from training.checkpoint import experiment_names
from training.folders import checkpoints_dir

CLICKS = 40
STARTS = 3
SESSIONS = 10
MOVES = 100
PLACES = 4000  # of a map, at random, at which the lens is compared with the decoder
USUAL_PICTURE = 'img[alt="0"], [data-testid="stImage"] img'
PICK = 'img[data-name="pick-vae"]'
# The picture of the point under the mouse, and the first of its words.
LENS = """[
    document.querySelector('.lens')?.toDataURL(),
    document.querySelector('.card.pick:has(img[data-name="pick-vae"]) h5')?.textContent,
]"""

BOTH_LENSES = "globalThis.latentAtlases?.has('map_autoencoder') && latentAtlases.has('map_vae')"
FIRST_MAP = "first map after `streamlit run`"
WORD_IS_THERE = "document.querySelector('[data-testid=stMarkdown]')?.textContent === 'Hello'"
MAP_IS_DRAWN = "document.querySelector('.st-key-map_vae .js-plotly-plot .nsewdrag')?.getBoundingClientRect().width > 0"

# From the event (mouse up, key down) to the frame after the one in which the new picture was there, whole.
STOPWATCH = """([event, selector]) => {
    const source = () => document.querySelector(selector)?.currentSrc;
    const before = source();
    let started;
    document.addEventListener(event, () => { started = performance.now(); }, {once: true, capture: true});
    window.measured = new Promise((resolve) => {
        const look = () => {
            const image = document.querySelector(selector);
            if (started && image?.complete && image.naturalWidth && source() !== before) {
                requestAnimationFrame(() => resolve(performance.now() - started));
            } else requestAnimationFrame(look);
        };
        look();
    });
}"""


# From the mouse event to the end of the frame that shows what it changed.
MOUSE_WATCH = """(type) => {
    window.measured = new Promise((resolve) => {
        document.addEventListener(type, (event) => requestAnimationFrame(() => {
            const painted = new MessageChannel();
            painted.port1.onmessage = () => resolve(performance.now() - event.timeStamp);
            painted.port2.postMessage(0);
        }), {once: true});
    });
}"""


# Something that a tool alone shows.
TOOLS = {
    "Interpolate": 'img[data-name="frame-vae"]',
    "Draw": ".pad canvas",
    "Traverse": 'img[data-name="moved-vae"]',
    "Generate": 'img[data-name="sample-vae"]',
    "Posterior": 'img[data-name="resampled"]',
    "Training curves": ".film-controls",
    "Beta": ".st-key-trade_off .js-plotly-plot .nsewdrag",
    "Explore": 'img[data-name="ringed-vae"]',
}
TOOL_WATCH = """([tool, own]) => new Promise((resolve) => {
    const radios = [...document.querySelectorAll(".st-key-tab [role=radio]")];
    const started = performance.now();
    radios.find((radio) => radio.textContent === tool).click();
    const look = () => {
        if (document.querySelector(own)?.checkVisibility()) {
            requestAnimationFrame(() => resolve(performance.now() - started));
        } else requestAnimationFrame(look);
    };
    look();
})"""


def main() -> None:
    """Print all figures, the app's beside the baseline's."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        baseline: dict[str, float] = {}
        empty: list[float] = []
        with part("an empty page"):
            empty.append(_start(browser, "benchmarks/empty_app.py", WORD_IS_THERE))
            print(f"one word after `streamlit run`, an empty page: {empty[0]:.1f} s")
        with part("the usual app"):
            for name, unit, value in _figures(browser, "benchmarks/usual_app.py", USUAL_PICTURE):
                baseline[name] = value
                print(f"{name}, the usual app: {value:.1f} {unit}")
        with part("the app"):
            for name, unit, value in _figures(browser, "streamlit_app.py", PICK):
                ratio = f" ({value / baseline[name]:.2f} times the usual app's)" if name in baseline else ""
                print(f"{name}: {value:.1f} {unit}{ratio}")
                if name == FIRST_MAP and empty:
                    print(f"    that is {value - empty[0]:.1f} s more than the empty page (asked: 0.7)")
        with part("slider to picture"):
            print(f"slider to picture, median: {statistics.median(_slider(browser)):.1f} ms")
        with part("drawing to picture"):
            print(f"drawing to picture, median: {statistics.median(_strokes(browser)):.1f} ms")
        with part("another tool"):
            times = _tools(browser)
            print(f"another tool on the screen, median: {statistics.median(times):.1f} ms, at most {max(times):.1f} ms")
        with part("experiments"):
            _experiments(browser)


def chromium(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, or Playwright's own."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    return playwright.chromium.launch(executable_path=found, args=arguments)


def _open(browser: Browser, query: str = "") -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    wait_for_server()
    page.goto(f"{ADDRESS}/{query}")
    page.set_default_timeout(60_000)
    return page


def _start(browser: Browser, script: str, done: str) -> float:
    """Return the seconds from `streamlit run` to what a browser shows first, in the median."""
    starts = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with server(script):
            page = _open(browser)
            page.wait_for_function(done)
            starts.append(time.perf_counter() - began)
            page.context.close()
    return statistics.median(starts)


def _figures(browser: Browser, script: str, picture: str) -> Iterator[tuple[str, str, float]]:
    """Yield what is measured of an app, with its unit, as soon as it is there."""
    yield FIRST_MAP, "s", _start(browser, script, MAP_IS_DRAWN)
    with server(script) as process:
        page = _open(browser)
        page.locator(picture).first.wait_for()
        yield "server memory, 1 session", "MiB", process.memory_info().rss / 2**20
        clicks = _clicks(page, picture)
        yield "click to answer, median", "ms", statistics.median(clicks)
        yield "click to answer, 95th percentile", "ms", statistics.quantiles(clicks, n=20)[-1]
        others = [_open(browser) for _ in range(SESSIONS - 1)]
        for other in others:
            other.locator(picture).first.wait_for()
        yield f"server memory, {SESSIONS} sessions", "MiB", process.memory_info().rss / 2**20
        for each in [page, *others]:
            each.context.close()


def _clicks(page: Page, picture: str) -> list[float]:
    """Click on dots, because the baseline hears of no others."""
    page.wait_for_function(MAP_IS_DRAWN)
    dots = page.evaluate("""() => {
        const chart = document.querySelector('.st-key-map_vae .js-plotly-plot');
        const box = chart.getBoundingClientRect(), {xaxis, yaxis} = chart._fullLayout;
        const clouds = chart._fullData.filter(t => t.mode === 'markers');
        const dots = clouds.flatMap(t => [...t.x].map((x, i) => [x, t.y[i]])).filter(dot => dot.every(Number.isFinite));
        return dots.map(([x, y]) => [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)]);
    }""")
    page.wait_for_timeout(2000)  # whatever loads behind the map is over
    times = []
    for index in range(CLICKS + 5):
        left, top = dots[index * (len(dots) // (CLICKS + 5))]
        page.mouse.move(left, top)
        page.wait_for_timeout(150)  # a hand needs a moment, too, and the baseline hears of hovered dots only
        page.evaluate(STOPWATCH, ["pointerup", picture])
        page.mouse.down()
        page.mouse.up()
        times.append(page.evaluate("Promise.race([window.measured, new Promise(r => setTimeout(r, 3000, null))])"))
    answered = [each for each in times[5:] if each is not None]  # the same picture twice is no new one
    print(f"{len(answered)} of {CLICKS} clicks answered with a new picture")
    return answered


def _slider(browser: Browser) -> list[float]:
    picture = 'img[data-name="frame-vae"]'
    with server("streamlit_app.py"):
        page = _open(browser, "?tab=Interpolate")
        page.locator(picture).wait_for()
        page.wait_for_timeout(2000)
        slider = page.get_by_role("slider", name="Frame")
        slider.press("Home")
        page.wait_for_timeout(1000)
        times = []
        for _ in range(20):
            page.evaluate(STOPWATCH, ["keydown", picture])
            slider.press("ArrowRight")
            times.append(page.evaluate("window.measured"))
        page.context.close()
    return times[3:]


def _strokes(browser: Browser) -> list[float]:
    """From the mouse that draws to the picture that comes back."""
    picture = 'img[data-name="reconstruction-vae"]'
    with server("streamlit_app.py"):
        page = _open(browser, "?tab=Draw")
        page.wait_for_function("document.querySelector('.st-key-map_vae .js-plotly-plot .nsewdrag')")
        page.wait_for_timeout(5000)  # whatever loads behind the maps is over
        box = page.locator(".pad canvas").bounding_box()
        assert box is not None
        times = []
        for step in range(25):
            across, down = (0.2 + 0.6 * ((step * stride) % 25) / 25 for stride in (7, 11))
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.mouse.down()
            page.locator(picture).wait_for()
            page.wait_for_timeout(500)
            page.evaluate(STOPWATCH, ["pointermove", picture])
            page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
            times.append(page.evaluate("window.measured"))
            page.mouse.up()
            page.get_by_role("button", name="Clear").click()
            page.locator(picture).wait_for(state="detached")
        page.context.close()
    return times[3:]


def _tools(browser: Browser) -> list[float]:
    """From the click on a tool's name to the frame after the one in which its own part is there; opened before."""
    with server("streamlit_app.py"):
        page = _open(browser)
        page.wait_for_function(BOTH_LENSES)
        page.wait_for_timeout(2000)  # whatever loads behind the map is over
        times = []
        for round_ in range(3):
            for tool, own in TOOLS.items():
                time_taken = page.evaluate(TOOL_WATCH, [tool, own])
                page.wait_for_timeout(1000)
                if round_:
                    times.append(time_taken)
        page.context.close()
    return times


def _experiments(browser: Browser) -> None:
    """Print the lens and the clicks of each experiment."""
    with server("streamlit_app.py"):
        _open(browser).locator(PICK).wait_for()  # torch is loaded
        for experiment in experiment_names(checkpoints_dir()):
            with part(experiment):
                began = time.perf_counter()
                page = _open(browser, f"?experiment={experiment}")
                page.wait_for_function(BOTH_LENSES)
                print(f"{experiment}: both lenses work {time.perf_counter() - began:.1f} s after the page was opened")
                page.wait_for_timeout(2000)  # whatever loads behind the map is over
                print(f"{experiment}: mouse to picture and words {_summary(_lens(page))}")
                print(f"{experiment}: click to picture and words {_summary(_lens(page, click=True))}")
                print(f"{experiment}: click to answer {_summary(_clicks(page, PICK))}")
                for model in open_models(checkpoints_dir() / experiment):
                    _atlas(page, model)
                page.context.close()


def _lens(page: Page, *, click: bool = False) -> list[float]:
    """From the mouse that moves, or its button that goes up where it has just come, to the decode of that point."""
    box = page.locator(".st-key-map_vae .js-plotly-plot .nsewdrag").bounding_box()
    assert box is not None
    times = []
    moves = CLICKS if click else MOVES
    for step in range(moves):
        across, down = (0.1 + 0.8 * ((step * stride) % moves) / moves for stride in (37, 61))
        before = page.evaluate(LENS)
        page.evaluate(MOUSE_WATCH, "pointerup" if click else "pointermove")
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        if click:
            page.mouse.down()
            page.mouse.up()
        times.append(page.evaluate("window.measured"))
        changed = [now != then for now, then in zip(page.evaluate(LENS), before, strict=True)]
        assert all(changed), "the lens shows, or says, what it did before: the frame was skipped"
        if click:
            page.wait_for_function("!document.querySelector('.lens')")  # the server's own picture stands there
            page.wait_for_timeout(300)
    return times[5:]


def _atlas(page: Page, model: Model) -> None:
    """Print what makes the lens of a map work: its size, and how right it is."""
    map_ = Map(model)
    window = map_.window
    points = (window.left, window.bottom) + window.side * np.random.default_rng(0).uniform(size=(PLACES, 2))
    # As text: millions of numbers would take minutes on their way.
    decode = f"([x, y]) => String.fromCharCode(...latentAtlases.get('map_{model.name}').decode(x, y))"
    text = page.evaluate(f"points => points.map({decode}).join('')", points.tolist())
    shown = np.frombuffer(text.encode("latin-1"), np.uint8).reshape(PLACES, -1) / 255
    error = np.abs(shown - map_.decode(points).reshape(PLACES, -1))
    size = len(map_layers.atlas(map_, window).image)
    print(
        f"lens, {model.checkpoint.experiment.name}, {model.name}: {size / 1e6:.2f} MB, off by {error.mean():.4f} "
        f"on average, {np.quantile(error, 0.99):.4f} at the 99th percentile"
    )


def _summary(times: list[float]) -> str:
    late = statistics.quantiles(times, n=20)[-1]
    return f"{statistics.median(times):.1f} ms median, {late:.1f} ms at the 95th percentile"
