"""What the page keeps: sizes through full screen, words through a second click."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import WORDS, open_lens, open_map, part, point_at, wait_for_input
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


def test_full_screen_and_back_leaves_a_map_as_large_as_it_was(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
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


def test_without_webgl_the_maps_are_drawn_all_the_same(
    browser: Browser, served: str, fitted: Path, experiment: Experiment
) -> None:
    warnings: list[str] = []
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
    path = shutil.which("chromium") or browser.browser_type.executable_path
    with browser.browser_type.launch(executable_path=path, args=arguments) as without:
        page = without.new_page()
        page.on("console", lambda told: warnings.append(told.text))
        open_map(page, served)
        codes = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).codes()
        dots = page.locator(".st-key-map_vae .scatterlayer .point")
        expect(dots).to_have_count(len(codes.labels) + len(np.unique(codes.labels)))  # and the digits' labels
        assert len([told for told in warnings if "no WebGL" in told]) == 2  # each map once
        place = part(page, "map_vae", 0.4, 0.6)
        page.mouse.click(*place)
        wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", *place)[0])
        page.locator(".classes button").nth(3).click()
        expect(page.locator(".st-key-map_vae .scatterlayer .point[style*='rgb(154, 154, 154)']").first).to_be_attached()
