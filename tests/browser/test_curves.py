"""Training curves."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CLOUDS, in_chart, middle, open_map
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_curves_play_through_training(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    snapshots = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).snapshots()
    first = snapshots.update[-3]
    open_map(page, f"{served}/?tab=Training+curves&moment={first}", "curves")
    codes = f"return {CLOUDS}.flatMap(t => [...t.x]).length"
    assert in_chart(page, "map_formed_vae", codes) == len(snapshots.labels)
    before, _ = middle(page.locator(".st-key-curves .map-overlay .moment").last)
    page.get_by_role("button", name="Play").click()
    # It plays to the last moment, and stops there by itself.
    expect(page.get_by_role("slider", name="Weight updates")).to_have_attribute(
        "aria-valuetext", str(snapshots.update[-1])
    )
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.wait_for_function(
        "before => [...document.querySelectorAll('.st-key-curves .map-overlay .moment')].at(-1)"
        ".getBoundingClientRect().x > before + 5",
        arg=before,
    )
    # The last snapshot is what the map shows.
    drawn = in_chart(
        page,
        "map_formed_vae",
        f"return {CLOUDS}.map(t => [...t.x])",
    )
    last = snapshots.code[-1, :, 0].astype(float)
    np.testing.assert_allclose(
        np.concatenate(drawn), np.concatenate([last[snapshots.labels == d] for d in range(10)]), atol=1e-4
    )
