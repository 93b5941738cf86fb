"""What the page keeps: sizes through full screen, words through a second click."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import WORDS, open_lens, part

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
    height_of = "document.querySelector('.st-key-map_vae .nsewdrag').getBoundingClientRect().height"
    plot = page.locator(".st-key-map_vae .js-plotly-plot .nsewdrag")
    before = plot.bounding_box()
    assert before is not None
    for _ in range(3):
        page.locator(".st-key-map_vae").hover()
        page.locator(".st-key-map_vae").get_by_role("button", name="Fullscreen").click()
        page.wait_for_function(f"{height_of} > {before['height']} + 50")
        page.get_by_role("button", name="Close fullscreen").click()
        page.wait_for_function(f"Math.abs({height_of} - {before['height']}) < 1")
        assert plot.bounding_box() == pytest.approx(before, abs=1)


@pytest.mark.parametrize("width", [1024, 1280, 1920])
def test_an_uploader_that_comes_late_moves_nothing(width: int, own_page: Page, served: str) -> None:
    """Its script is a file of its own, which a busy computer loads after the first stroke."""
    held: list[Route] = []
    own_page.route("**/FileUploader*.js", lambda route: held.append(route))
    own_page.set_viewport_size({"width": width, "height": 900})
    own_page.goto(f"{served}/?tab=Draw")
    place = own_page.locator(".st-key-upload")
    expect(own_page.locator(".pad canvas")).to_be_visible()
    expect(place).to_be_attached()
    expect(own_page.get_by_text("Nothing drawn")).to_have_count(3)
    before = place.bounding_box()
    for route in held:
        route.continue_()
    assert held
    expect(own_page.get_by_text("Or a picture")).to_be_visible()
    assert place.bounding_box() == pytest.approx(before, abs=0.5)
