"""Beta, in a real Chromium: another one is chosen at the top, or in the chart."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import middle, open_link, wait_until, wait_until_idle
from training.checkpoint import Checkpoint, checkpoint_path
from training.folders import checkpoints_dir

pytestmark = pytest.mark.browser

IMAGE = 7


def click_on(dot: Locator) -> None:
    """Click a dot of a chart, over which others of Plotly's layers lie."""
    page = dot.page
    wait_until_idle(page)
    dot.scroll_into_view_if_needed()

    def point_to_it() -> None:
        """As a person would, who sees what is under the mouse: a chart may still be taking its place."""
        page.mouse.move(5, 5)
        page.mouse.move(*middle(dot))
        expect(page.locator(".st-key-trade_off .hovertext")).to_have_count(1, timeout=1000)

    wait_until(page, point_to_it)
    page.mouse.down()
    page.mouse.up()


def test_a_click_on_a_dot_of_the_chart_chooses_its_beta_and_picks_the_ringed_image_there(
    page: Page, shipped: str
) -> None:
    open_link(page, f"{shipped}/?tab=Beta&experiment=mnist-2d&digit={IMAGE}")
    dots = page.locator(".st-key-trade_off .points path.point")
    expect(dots).to_have_count(7)  # a beta each, in order, and the ring
    click_on(dots.nth(4))
    expect(page.get_by_text("Beta 5:")).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]beta=5(&|$)"))
    x, _ = Checkpoint(checkpoint_path(checkpoints_dir() / "mnist-2d", "vae", 5.0)).codes().code[IMAGE].tolist()
    expect(page.get_by_label("VAE pick, x", exact=True)).to_have_value(f"{x:.3f}")
    faded = "dots => dots.filter(dot => getComputedStyle(dot).opacity < 1).length"
    assert dots.evaluate_all(faded) == 0

    # Once more, from another one: Plotly takes that for taking the choice back.
    page.get_by_role("slider", name="Beta").press("ArrowLeft")
    expect(page.get_by_text("Beta 2:")).to_be_visible()
    click_on(dots.nth(4))
    expect(page.get_by_text("Beta 5:")).to_be_visible()
