"""Compare."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_link, wait_until_idle

pytestmark = pytest.mark.browser


def test_on_a_phone_each_value_says_whose_it_is(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_link(page, f"{served}/?tab=Compare")
    page.wait_for_function("matchMedia('(width < 640px)').matches")
    cells = page.locator('[class*="st-key-cell_"]')
    cells.first.wait_for()
    wait_until_idle(page)
    found = cells.evaluate_all("es => es.map(e => [e.className, getComputedStyle(e, '::before').content])")
    assert len(found) > 10
    for each, name in found:
        assert name == ('"AE"' if "cell_autoencoder_" in each else '"VAE"')


def test_compare_opens_the_view_that_shows_a_number(page: Page, served: str) -> None:
    open_link(page, f"{served}/?tab=Compare")
    expect(page.get_by_text("How evenly the digits share the plane")).to_be_visible()
    wait_until_idle(page)
    row = page.locator(".st-key-show_plane_entropy button")
    row.click()
    expect(page.get_by_role("radio", name="Explore")).to_be_checked()
    expect(page.get_by_role("radio", name="grid")).to_be_checked()


def test_a_click_in_the_plane_of_a_sweep_opens_the_model(page: Page, shipped: str) -> None:
    open_link(page, f"{shipped}/?tab=Compare&experiment=digits-2d&sweep=betas")
    dots = page.locator(".st-key-rate_distortion .points path.point")
    expect(dots).to_have_count(6)  # a beta each, in order
    dots.nth(3).scroll_into_view_if_needed()
    wait_until_idle(page)
    box = dots.nth(3).bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_role("radio", name="Explore")).to_be_checked()
    expect(page).to_have_url(re.compile(r"[?&]beta=2(&|$)"))
    assert "experiment=digits-2d" not in page.url  # mnist-2d, which the address need not name
