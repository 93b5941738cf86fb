"""Traverse."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import decode, expect_picture, open_link, wait_until_idle
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_traverse_moves_the_pick_and_marks_the_frame(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_link(page, f"{served}/?tab=Traverse&vae_x=0.5&vae_y=-0.25")
    slider = page.get_by_role("slider", name="Dimension 1")
    expect(page.locator("img[data-name=moved-vae]")).to_be_visible()
    wait_until_idle(page)
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(slider).to_have_value("1")
    expect(page.locator("img[data-name=moved-vae]")).to_have_attribute("alt", "VAE: the pick, dimension 1 by 1 sd")
    wait_until_idle(page)
    expect_picture(page, "moved-vae", decode(fitted, experiment, "vae", (1.5, -0.25)), 0.01)
