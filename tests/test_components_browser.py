"""What the page keeps: sizes through full screen, words through a second click."""

import pytest
from playwright.sync_api import Page, expect

from tests.test_lens_browser import WORDS, open_lens, part

pytestmark = pytest.mark.browser


def test_a_second_click_on_the_same_spot_leaves_the_words_as_they_are(page: Page, served: str) -> None:
    open_lens(page, served)
    page.mouse.move(*part(page, "map_vae", 0.4, 0.4))
    for _ in range(3):
        page.mouse.down()
        page.mouse.up()
        expect(page.locator('figure:has(img[data-name="pick-vae"]) .lens')).to_have_count(0)
        expect(page.locator(WORDS)).to_have_css("opacity", "1")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
def test_full_screen_and_back_leaves_a_map_as_large_as_it_was(width: int, height: int, page: Page, served: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_lens(page, served)
    plot = page.locator(".st-key-map_vae .js-plotly-plot .nsewdrag")
    before = plot.bounding_box()
    assert before is not None
    for _ in range(3):
        page.locator(".st-key-map_vae").hover()
        page.locator(".st-key-map_vae").get_by_role("button", name="Fullscreen").click()
        page.wait_for_function(
            f"document.querySelector('.st-key-map_vae .nsewdrag').getBoundingClientRect().height > {before['height']} + 50"
        )
        page.get_by_role("button", name="Close fullscreen").click()
        page.wait_for_function(
            f"""Math.abs(document.querySelector('.st-key-map_vae .nsewdrag').getBoundingClientRect().height
                - {before["height"]}) < 1"""
        )
        assert plot.bounding_box() == pytest.approx(before, abs=1)
