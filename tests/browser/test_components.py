"""What the page keeps: sizes through full screen, words through a second click."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.conftest import (
    RANGE,
    WORDS,
    HeldWire,
    before_its_scripts,
    decode,
    expect_picture,
    in_chart,
    open_lens,
    open_map,
    part,
    point_at,
    wait_for_input,
    wait_until_idle,
)
from tests.conftest import TABS
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_a_second_click_on_the_same_spot_leaves_the_words_as_they_are(page: Page, served: str) -> None:
    open_lens(page, served)
    page.mouse.move(*part(page, "map_vae", 0.4, 0.4))
    for _ in range(3):
        page.mouse.down()
        page.mouse.up()
        expect(page.locator('figure:has(img[data-name="pick-vae"]) .lens')).to_have_count(0)
        expect(page.locator(f"{WORDS} .original img")).to_be_visible()  # the server's own words


# Whether something of an earlier run has become pale there: Streamlit leaves it a third.
IS_PALE = """place => [...document.querySelectorAll(`${place} [data-stale="true"]`)]
    .some(stale => getComputedStyle(stale).opacity < 0.4)"""
# How much is seen of each of these, with all that is around it.
OPACITIES = """shown => [...document.querySelectorAll(`.st-key-stage :is(${shown})`)].map(element => {
    let opacity = 1;
    for (; element; element = element.parentElement) opacity *= getComputedStyle(element).opacity;
    return opacity;
})"""


def test_maps_and_decodes_stay_as_they_are_while_the_server_works(own_page: Page, served: str) -> None:
    """Streamlit pales what a run has not drawn yet, after half a second; what the mouse draws waits for no run."""
    page, wire = own_page, HeldWire(own_page)
    open_lens(page, f"{served}/?tab=Traverse")
    with wire.hold(lambda sent: not is_beginning(sent)):
        page.mouse.click(*part(page, "map_vae", 0.4, 0.4))
        page.wait_for_function(IS_PALE, arg=".st-key-strip")
        assert page.evaluate(OPACITIES, ".js-plotly-plot, .card.pick") == [1] * 4  # two maps, two decodes
    wait_until_idle(page)


def is_beginning(sent: ForwardMsg) -> bool:
    """Whether a message says that a run begins."""
    return sent.HasField("new_session") or sent.session_status_changed.script_is_running


def test_full_screen_and_back_leaves_a_map_as_large_as_it_was(page: Page, served: str) -> None:
    open_lens(page, served)
    height_of = "document.querySelector('.st-key-map_vae .nsewdrag').getBoundingClientRect().height"
    plot = page.locator(".st-key-map_vae .js-plotly-plot .nsewdrag")
    before = plot.bounding_box()
    assert before is not None
    for _ in range(2):
        page.locator(".st-key-map_vae").hover()
        page.locator(".st-key-map_vae").get_by_role("button", name="Fullscreen").click()
        page.wait_for_function(f"{height_of} > {before['height']} + 50")
        page.get_by_role("button", name="Close fullscreen").click()
        page.wait_for_function(f"Math.abs({height_of} - {before['height']}) < 1")
        assert plot.bounding_box() == pytest.approx(before, abs=1)


@pytest.mark.parametrize("width", [1024, 1920])
def test_an_uploader_that_comes_late_moves_nothing(width: int, fresh_page: Page, served: str) -> None:
    """Its script is a file of its own, which a busy computer loads after the first stroke."""
    page = fresh_page
    held: list[Route] = []
    page.route("**/FileUploader*.js", lambda route: held.append(route))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{served}/?tab=Draw")
    place = page.locator(".st-key-upload")
    expect(page.locator(".pad canvas")).to_be_visible()
    expect(place).to_be_attached()
    expect(page.get_by_text("Nothing drawn")).to_have_count(3)
    before = place.bounding_box()
    for route in held:
        route.continue_()
    assert held
    expect(page.get_by_text("Or a picture")).to_be_visible()
    assert place.bounding_box() == pytest.approx(before, abs=0.5)


def test_without_webgl_the_maps_are_drawn_all_the_same(
    browser: Browser, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(page, served)
    views = [in_chart(page, chart, RANGE) for chart in ("map_autoencoder", "map_vae")]
    warnings: list[str] = []
    errors: list[str] = []
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]  # Chromium's own WebGL without a GPU, too
    path = shutil.which("chromium") or browser.browser_type.executable_path
    with browser.browser_type.launch(executable_path=path, args=arguments) as without:
        page = without.new_page()
        page.on("console", lambda told: warnings.append(told.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        open_map(page, served)
        for chart, model in (("map_autoencoder", "autoencoder"), ("map_vae", "vae")):
            expect_dots(page, chart, fitted, experiment, model)
            # What is shown is the same, square, and nobody has zoomed.
            assert in_chart(page, chart, RANGE) == views[model == "vae"]
            across, down = in_chart(page, chart, "const {w, h} = chart._fullLayout._size; return [w, h]")
            assert across == pytest.approx(down, abs=1)
            place = part(page, chart, 0.4, 0.6)
            page.mouse.click(*place)
            point = point_at(page, chart, *place)
            wait_for_input(page, f"{'AE' if model == 'autoencoder' else 'VAE'} pick, x", point[0])
            page.mouse.move(5, 5)
            expect(page.locator(f'figure:has(img[data-name="pick-{model}"]) .lens')).to_have_count(0)
            expect_picture(page, f"pick-{model}", decode(fitted, experiment, model, point), 0.02)
        assert "zoom" not in page.url
        page.locator(".classes button").nth(3).click()
        expect(page.locator(".st-key-map_vae .scatterlayer .point[style*='rgb(154, 154, 154)']").first).to_be_attached()
        # The map is drawn anew, and without WebGL once more; that has been said.
        for face in ("grid", "codes"):
            page.get_by_role("radio", name=face, exact=True).click()
            page.wait_for_function(
                "seen => document.querySelectorAll('.st-key-map_vae .scatterlayer .point').length > 0 === seen",
                arg=face == "codes",
            )
        expect_dots(page, "map_vae", fitted, experiment, "vae")
        assert len([told for told in warnings if "no WebGL" in told]) == 1
        assert errors == []


def expect_dots(page: Page, chart: str, fitted: Path, experiment: Experiment, model: str) -> None:
    """All codes of a map are drawn as SVG."""
    codes = Checkpoint(checkpoint_path(fitted / experiment.name, model)).codes()
    dots = page.locator(f".st-key-{chart} .scatterlayer .point")
    expect(dots).to_have_count(len(codes.labels) + len(np.unique(codes.labels)))  # and the digits' labels


def test_when_other_pages_use_up_webgl_the_maps_are_drawn_all_the_same(
    own_page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(own_page, served)
    expect(own_page.locator(".st-key-map_vae .gl-canvas-context")).to_be_attached()
    # A browser has so many at a time, and takes them from those who had them first.
    own_page.evaluate(
        "globalThis.hungry = Array.from({length: 16}, () => document.createElement('canvas').getContext('webgl'))"
    )
    for chart, model in (("map_autoencoder", "autoencoder"), ("map_vae", "vae")):
        expect_dots(own_page, chart, fitted, experiment, model)


COUNTED = """(() => {
    const made = new Set(), get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...others) {
        const context = get.call(this, kind, ...others);
        if (context && kind.includes('webgl')) made.add(context);
        return context;
    };
    globalThis.webGlContexts = () => [...made].filter((each) => !each.isContextLost()).length;
})()"""


def test_a_page_keeps_no_more_than_four_webgl_contexts(page: Page, served: str) -> None:
    with before_its_scripts(page, COUNTED):
        open_map(page, served)
        assert_keeps_four(page)


def assert_keeps_four(page: Page) -> None:
    for tool in TABS:
        choice = page.locator(".st-key-tab").get_by_role("radio", name=tool, exact=True)
        choice.click()
        expect(choice).to_be_checked()
        wait_until_idle(page)
        page.wait_for_function("webGlContexts() === 4")
        for face in ("images", "grid", "codes") if tool == "Explore" else ():
            page.get_by_role("radio", name=face, exact=True).click()
            # The grid has no dots. While a map is drawn anew, its old canvases may stand beside the new ones.
            page.wait_for_function(f"webGlContexts() === {0 if face == 'grid' else 4}")
