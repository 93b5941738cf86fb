"""Thirteen classes with names, one of them without an image, in Chromium."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import in_chart, open_map
from tests.conftest import OWN_NAMES, shared_server

CLOUDS = "chart._fullData.filter(trace => trace.legendgroup && trace.name !== 'label')"


def test_names_and_symbols_are_on_maps_in_the_legend_and_in_what_is_saved(page: Page, own: Path) -> None:
    open_map(page, f"{shared_server('own server', own, own / 'data')}/?experiment=own-2d")
    chips = page.locator(".classes button")
    expect(chips).to_have_text(["a very long…" if name.startswith("a very") else name for name in OWN_NAMES])
    expect(chips.nth(4)).to_have_attribute("aria-label", OWN_NAMES[4])
    names = page.locator(".st-key-map_vae .map-overlay .label")
    expect(names).to_have_text([name for name in chips.all_text_contents() if name != "nothing"])
    symbols = in_chart(page, "map_vae", f"return {CLOUDS}.map(trace => trace.marker.symbol)")
    assert symbols == ["circle"] * 10 + ["square"] * 2
    assert page.locator(".map-answer .missing").count() == 0  # all scripts run
    # A click on a chip is of that class, also where another has its colour.
    chips.nth(10).dblclick()
    expect(names.nth(0)).to_have_attribute("opacity", "0.4")
    expect(names.nth(10)).to_have_attribute("opacity", "1")
    bright = f"return {CLOUDS}.filter(trace => trace.marker.opacity > 0.5).map(trace => trace.name)"
    assert in_chart(page, "map_vae", bright) == ["10"]
    # What is near the mouse is called by its name.
    page.locator(".st-key-map_vae .nsewdrag").hover()
    expect(page.locator(".map-answer b").nth(2)).to_contain_text("class ")
    with page.expect_download() as saved:
        page.locator(".st-key-map_vae .save-chart").nth(1).click()
    svg = Path(saved.value.path()).read_text()
    assert svg.count('class="class"') == 13
    assert svg.count("<polygon points=") >= 3


def test_no_name_lies_on_another(page: Page, own: Path) -> None:
    open_map(page, f"{shared_server('own server', own, own / 'data')}/?experiment=own-2d&view=all+codes")
    seen = "names => names.filter(each => each.checkVisibility({visibilityProperty: true}))"
    boxes = f"({seen})(names).map(each => each.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    for model in ("autoencoder", "vae"):
        names = page.locator(f".st-key-map_{model} .map-overlay .label")
        expect(names).to_have_count(12)
        found = np.array(names.evaluate_all(f"names => {boxes}"))
        assert 3 <= len(found) <= 12
        left, top, right, bottom = found.T + np.array([[2], [2], [-2], [-2]])  # a line is higher than its letters
        across = (left[:, None] < right) & (left < right[:, None])
        down = (top[:, None] < bottom) & (top < bottom[:, None])
        assert (across & down).sum() == len(found)  # each with itself


def test_the_film_is_of_all_classes(page: Page, own: Path) -> None:
    open_map(page, f"{shared_server('own server', own, own / 'data')}/?experiment=own-2d&tab=Training%20curves")
    canvas = page.locator(".st-key-map_vae canvas.film-codes")
    canvas.wait_for()
    expect(page.locator(".st-key-map_vae .map-overlay .labels")).to_be_hidden()
    shot = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB"))
    assert len(np.unique(shot.reshape(-1, 3), axis=0)) > 100
