"""Generate."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import decode, expect_picture, open_link, pixel_of, wait_at, wait_until_idle
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_generate_again_shows_other_codes_and_where_they_fell(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_link(page, f"{served}/?tab=Generate")
    picture = page.locator('img[data-name="vae-prior-1"]')
    expect(picture).to_be_visible()
    wait_until_idle(page)
    before = picture.get_attribute("src")
    page.get_by_role("button", name="Again").click()
    expect(picture).not_to_have_attribute("src", str(before))
    expect(page.get_by_label("Seed")).to_have_value("1")
    wait_until_idle(page)
    x, y = np.random.default_rng(1).standard_normal((10, 2))[0].tolist()
    expect_picture(page, "vae-prior-1", decode(fitted, experiment, "vae", (x, y)), 0.01)
    chart = "map_vae"
    wait_at(page.locator(f".st-key-{chart} .dot").first, *pixel_of(page, chart, x, y))
