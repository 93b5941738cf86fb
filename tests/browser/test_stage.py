"""The stage: two maps, a viewer between them, one legend; on every screen as large as it can be, nothing cut off."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from explorer.maps import Map
from explorer.models import open_models
from tests.browser.conftest import (
    CLOUDS,
    DRAWN_ANEW,
    RANGE,
    in_chart,
    message,
    open_link,
    open_map,
    wait_for_width,
    wait_until,
    wait_until_idle,
    zoom_and_pan,
)
from tests.conftest import likeness
from training.datasets import load
from training.folders import checkpoints_dir, data_dir

pytestmark = pytest.mark.browser

# Viewport; least side of a map and of each decode; whether both maps are seen at once. In pixels.
SIZES = (
    (1280, 800, 420, 120, True),
    (1920, 1080, 640, 180, True),
    (1024, 768, 330, 100, True),
    (820, 1180, 370, 150, True),
    (390, 844, 340, 110, False),
)
BOXES = """() => Object.fromEntries(
    [['ae', '.st-key-map_autoencoder .nsewdrag'], ['vae', '.st-key-map_vae .nsewdrag'],
     ['ae_decode', 'img[data-name="pick-autoencoder"]'], ['vae_decode', 'img[data-name="pick-vae"]'],
     ['legend', '.classes'], ['viewer', '.st-key-viewer'], ['topbar', '.st-key-topbar'], ['strip', '.st-key-strip']]
    .map(([name, selector]) => {
        const {left, top, right, bottom, width, height} = document.querySelector(selector).getBoundingClientRect();
        return [name, {left, top, right, bottom, width, height}];
    }))"""


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 1
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_maps_and_decodes_are_large_and_whole(theme: Any, page: Page, shipped: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": 1280, "height": 800})
    open_map(page, shipped)
    page.locator('img[data-name="pick-vae"]').wait_for()
    wait_until_idle(page)
    for width, height, side, decode, both in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(SETTLED, arg=side)
        assert_large_and_whole(page, width, height, side, decode, both)


# Whether all of the viewer is seen, or it is as high as it may be and scrolls.
IS_WHOLE = """() => {
    const viewer = document.querySelector(".st-key-viewer");
    const isFull = viewer.clientHeight >= parseFloat(getComputedStyle(viewer).maxHeight) - 1;
    return isFull || viewer.scrollHeight <= viewer.clientHeight;
}"""


def test_the_viewer_cuts_nothing_off_while_it_has_room(page: Page, served: str) -> None:
    open_map(page, served)
    for tool in ("Interpolate", "Draw", "Traverse", "Generate", "Posterior", "Training curves", "Beta"):
        page.get_by_role("radio", name=tool, exact=True).click()
        expect(page.get_by_role("radio", name=tool, exact=True)).to_be_checked()
        wait_until_idle(page)
        page.wait_for_load_state("networkidle")
        page.wait_for_function(IS_WHOLE)  # widgets come late, and grow


# The VAE's map is square, as wide as its place, and so large.
SETTLED = """(side) => {
    const place = document.querySelector('.st-key-map_vae').getBoundingClientRect();
    const map = document.querySelector('.st-key-map_vae .nsewdrag').getBoundingClientRect();
    const isSquare = Math.abs(map.width - map.height) < 2;
    return isSquare && map.width >= side && place.width - map.width < 12 && map.right <= innerWidth;
}"""


def assert_large_and_whole(page: Page, width: int, height: int, side: int, decode: int, both: bool) -> None:
    boxes = page.evaluate(BOXES)
    assert boxes["vae"]["width"] >= side
    assert boxes["vae"]["width"] == pytest.approx(boxes["vae"]["height"], abs=2)
    seen = ["vae", "ae_decode", "vae_decode", "legend"] + (["ae"] if both else [])
    if both:
        assert boxes["ae"]["width"] == pytest.approx(boxes["vae"]["width"], abs=1)
    else:
        assert boxes["ae"]["width"] == 0  # the other is a tap away
    for name in ("ae_decode", "vae_decode"):
        assert boxes[name]["width"] >= decode, name
    if not both:
        seen.remove("legend")  # right below, on a phone
    for name in seen:  # on the first screen, whole
        box = boxes[name]
        assert box["left"] >= 0, name
        assert box["right"] <= width, name
        assert box["bottom"] <= height, name
    for name in ("ae", "vae") if both else ("vae",):
        for other in ("viewer", "legend", "topbar", "strip"):
            assert not overlap(boxes[name], boxes[other]), (name, other)
    for chart in ("map_autoencoder", "map_vae") if both else ("map_vae",):
        scales = in_chart(page, chart, "const {xaxis, yaxis} = chart._fullLayout; return [xaxis._m, -yaxis._m]")
        assert scales[0] == pytest.approx(scales[1], rel=0.01), "a circle is no circle"
    across = page.locator(".stMain").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert across[0] == across[1]
    # Titles are whole: within their chart.
    titles = in_chart(
        page,
        "map_vae",
        """const {left, right} = chart.getBoundingClientRect();
        return [...chart.querySelectorAll('.xtitle, .annotation-text')]
            .map(e => [e.textContent, e.getBoundingClientRect()])
            .map(([text, box]) => [text, box.left >= left && box.right <= right]);""",
    )
    assert ["latent dimension 1 (standard deviations of the prior)", True] in titles
    assert ["↑ latent dimension 2 (st. dev. of the prior)", True] in titles


@pytest.mark.parametrize(("width", "height"), [(1600, 1000), (1024, 768), (853, 533)])  # 80, 125, 150 % of 1280 x 800
def test_browser_zoom_leaves_maps_level_and_tools_in_reach(width: int, height: int, page: Page, served: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_map(page, served)
    tops = "es => es.map(e => e.getBoundingClientRect().top)"
    ae, vae = page.locator('.st-key-stage [class*="st-key-map_"] .nsewdrag').evaluate_all(tops)
    assert ae == vae
    if width > 1000:  # the legend is one row
        assert len(set(page.locator(".classes button").evaluate_all(tops))) == 1
    # Where tools are out of sight the bar fades, until one has scrolled to them.
    bar = page.locator(".st-key-tab [role=radiogroup]")
    fades = "bar => getComputedStyle(bar).maskImage !== 'none'"
    assert bar.evaluate(fades) == bar.evaluate("bar => bar.scrollWidth > bar.clientWidth + 1")
    bar.evaluate("bar => bar.scrollTo(bar.scrollWidth, 0)")
    wait_until(page, lambda: _expect(not bar.evaluate(fades)))
    last = page.get_by_role("radio", name="Learn", exact=True).bounding_box()
    assert last
    assert last["x"] + last["width"] <= width


def _expect(is_so: bool) -> None:
    assert is_so


def test_decodes_beside_the_pad_are_large_on_a_small_screen(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    open_map(page, f"{served}/?tab=Draw")
    expect(page.locator(".st-key-answers .blank")).to_have_count(2)
    for place in page.locator(".st-key-answers .blank").all():
        box = place.bounding_box()
        assert box
        assert box["width"] >= 100
    page.locator(".pad button").first.wait_for()
    viewer = page.locator(".st-key-viewer").bounding_box()
    assert viewer
    for button in page.locator(".pad button").all():  # what erases is seen
        box = button.bounding_box()
        assert box
        assert box["y"] + box["height"] <= viewer["y"] + viewer["height"]


def test_on_a_phone_either_map_is_a_tap_away(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_map(page, served)
    assert page.locator(".st-key-map_vae .nsewdrag").bounding_box()
    page.locator(".st-key-phone_map").get_by_role("radio", name="AE", exact=True).click()
    page.locator(".st-key-map_autoencoder .nsewdrag").wait_for()
    page.wait_for_function(
        "document.querySelector('.st-key-map_autoencoder .nsewdrag').getBoundingClientRect().width >= 340"
    )
    assert not page.locator(".st-key-map_vae").is_visible()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1180), (1280, 800)])
def test_the_open_tool_is_in_sight(width: int, height: int, page: Page, served: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    for tool in ("Learn", "Explore", "Training curves"):
        open_link(page, f"{served}/?tab={tool}")
        radio = page.locator(".st-key-tab").get_by_role("radio", name=tool, exact=True)
        expect(radio).to_be_checked()

        def is_in_sight(radio: Locator = radio) -> None:
            box = radio.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width

        wait_until(page, is_in_sight)


TOOLS = {  # on the stage, each with something that it alone shows
    "Interpolate": 'img[data-name="frame-vae"]',
    "Draw": ".pad canvas",
    "Traverse": 'img[data-name="moved-vae"]',
    "Generate": 'img[data-name="sample-vae"]',
    "Posterior": 'img[data-name="resampled"]',
    "Training curves": ".film-controls",
    "Beta": 'img[data-name="pick-vae"]',
    "Explore": 'img[data-name="ringed-vae"]',
}


def test_a_change_of_tool_sends_no_map_and_keeps_zoom_and_legend(fresh_page: Page, served: str) -> None:
    page = fresh_page
    charts: list[str] = []

    def receive(frame: str | bytes) -> None:
        element = message(frame).delta.new_element
        if element.WhichOneof("type") == "plotly_chart":
            charts.append(element.plotly_chart.id)

    page.on("websocket", lambda socket: socket.on("framereceived", receive))
    open_map(page, served)
    page.locator(TOOLS["Explore"]).wait_for()
    zoom_and_pan(page, "map_vae")
    page.locator(".classes button").nth(3).click()
    before = in_chart(page, "map_vae", RANGE)
    box = page.locator(".st-key-map_vae .nsewdrag").bounding_box()
    assert any("map_vae" in chart for chart in charts)
    del charts[:]
    for tool, own in TOOLS.items():
        page.get_by_role("radio", name=tool, exact=True).click()
        expect(page.locator(own).first).to_be_visible()
        wait_until_idle(page)
        assert in_chart(page, "map_vae", RANGE) == before
        assert page.locator(".st-key-map_vae .nsewdrag").bounding_box() == pytest.approx(box)
        assert page.locator(".classes button").nth(3).get_attribute("aria-pressed") == "false"
    # A page without maps, and back: they waited out of sight.
    page.get_by_role("radio", name="Reconstruct", exact=True).click()
    expect(page.locator('img[data-name^="vae-"]').first).to_be_visible()
    expect(page.locator(".st-key-stage")).to_be_hidden()
    page.get_by_role("radio", name="Explore", exact=True).click()
    expect(page.locator(TOOLS["Explore"])).to_be_visible()
    assert in_chart(page, "map_vae", RANGE) == before
    assert [chart for chart in charts if "map_autoencoder" in chart or "map_vae" in chart] == []


# The images that are drawn: how much of the canvas is painted, in images; and those at some points, in grey.
IMAGES = """
    const canvas = chart.querySelector('canvas.map-images'), {xaxis, yaxis} = chart._fullLayout;
    const context = canvas.getContext('2d');
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
    const grey = points.map(([x, y]) => {
        const left = Math.round(xaxis._offset + xaxis.d2p(x) - 13), top = Math.round(yaxis._offset + yaxis.d2p(y) - 13);
        return [...context.getImageData(left, top, 26, 26).data].filter((_, at) => at % 4 === 0);
    });
    return [painted / 900, grey];
"""


def test_another_face_shows_the_same_part_of_the_plane(page: Page, served: str) -> None:
    open_map(page, served)
    zoom_and_pan(page, "map_vae")
    zoomed = in_chart(page, "map_vae", RANGE)
    for face in ("grid", "codes"):
        in_chart(page, "map_vae", "globalThis.before = chart._fullData; return 0")
        page.get_by_role("radio", name=face, exact=True).click()
        page.wait_for_function(DRAWN_ANEW)
        wait_until_idle(page)
        wait_until(page, lambda: _expect(in_chart(page, "map_vae", RANGE) == pytest.approx(zoomed, abs=0.01)))
        assert "zoom_vae" in page.url


def test_images_stand_at_their_codes_and_more_come_with_zoom(page: Page, shipped: str) -> None:
    page.goto(f"{shipped}/?face=images")
    ready = "globalThis.latentOriginals?.image.complete && latentCodes.has('map_vae')"
    page.wait_for_function(ready, timeout=120_000)  # computed for the first time
    page.locator(".st-key-map_vae canvas.map-images").wait_for()
    vae_map = Map(open_models(checkpoints_dir() / "mnist-2d").vae)
    points = vae_map.points
    originals = load("mnist", data_dir()).test.images.numpy()

    def expect_images(first: list[int]) -> float:
        painted, shown = in_chart(page, "map_vae", f"const points = {points[first].tolist()};" + IMAGES)
        for image, found in zip(first, shown, strict=True):
            small = np.asarray(Image.fromarray(originals[image]).resize((26, 26), Image.Resampling.NEAREST), float)
            assert likeness(np.array(found, float).reshape(26, 26), small) > 0.85
        return float(painted)

    # Image 0 comes first, and so stands whole where its code is.
    whole = expect_images([0])
    assert whole > 60
    # The keyboard zooms where the pick is: there, too.
    page.locator(".st-key-map_vae .map-overlay").focus()
    for _ in range(15):
        page.keyboard.press("+")
    wait_for_width(page, vae_map.window.side / 1.25**15)
    left, right, bottom, top = in_chart(page, "map_vae", RANGE)
    inside = np.flatnonzero((points > (left, bottom)).all(axis=1) & (points < (right, top)).all(axis=1))
    assert 3 < len(inside) < 120
    near = expect_images([0])
    assert near / len(inside) > 3 * whole / len(points)  # of those in sight, a larger part


def test_codes_glide_from_one_beta_to_the_next(page: Page, shipped: str) -> None:
    open_map(page, f"{shipped}/?tab=Beta")
    page.locator(TOOLS["Beta"]).wait_for()
    wait_until_idle(page)
    page.evaluate("""() => {
        window.glided = new Set();
        const note = (records) => records.forEach(({target}) => {
            if (target.classList.contains("gliding")) glided.add(target.closest('[class*="st-key-map_"]').className);
        });
        new MutationObserver(note).observe(document.body, {subtree: true, attributeFilter: ["class"]});
    }""")
    before = in_chart(page, "map_vae", f"return {CLOUDS}.map(t => t.x[0])")
    page.get_by_role("slider", name="Beta").press("ArrowRight")
    page.wait_for_function("glided.size === 1 && !document.querySelector('.gliding')")
    assert "map_vae" in page.evaluate("[...glided][0]")  # the AE is the same at every beta
    after = in_chart(page, "map_vae", f"return {CLOUDS}.map(t => t.x[0])")
    points = Map(open_models(checkpoints_dir() / "mnist-2d", beta=2).vae).points
    labels = open_models(checkpoints_dir() / "mnist-2d").labels
    assert after != before
    np.testing.assert_allclose(after, [points[labels == digit][0, 0] for digit in range(10)], atol=1e-3)
