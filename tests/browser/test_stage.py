"""The stage: two maps, a viewer between them, one legend; on every screen as large as it can be, nothing cut off."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import in_chart, open_map, wait_until_idle

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
@pytest.mark.parametrize(("width", "height", "side", "decode", "both"), SIZES)
def test_maps_and_decodes_are_large_and_whole(
    width: int, height: int, side: int, decode: int, both: bool, theme: Any, page: Page, shipped: str
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    open_map(page, shipped)
    page.locator('img[data-name="pick-vae"]').wait_for()
    wait_until_idle(page)
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
