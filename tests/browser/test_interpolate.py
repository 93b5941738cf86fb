"""Interpolate."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from explorer.views.interpolate import FRAMES
from tests.browser.conftest import MODELS, decode, open_map, pixel_of, seen, wait_at
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_interpolation_shows_the_frame_and_the_way(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(page, f"{served}/?tab=Interpolate&from_image=4&to_image=9", "map_vae")
    slider = page.get_by_role("slider", name="Frame")
    slider.press("Home")
    for _ in range(5):
        slider.press("ArrowRight")
    expect(page.locator('img[data-name="frame-vae"]')).to_have_attribute("alt", "VAE: frame 5")
    for model in MODELS:
        start, end = Checkpoint(checkpoint_path(fitted / experiment.name, model)).codes().code[[4, 9]].astype(float)
        at = start + (end - start) * 5 / (FRAMES - 1)
        np.testing.assert_allclose(
            seen(page, f"frame-{model}"), decode(fitted, experiment, model, tuple(at)), atol=0.02
        )
        dot = page.locator(f".st-key-map_{model} .map-overlay .at").last
        wait_at(dot, *pixel_of(page, f"map_{model}", *at))
