"""What a map shows of a fit that goes on."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explorer.latent import Window
from explorer.live import LiveModel


@pytest.mark.parametrize(("name", "least"), [("vae", 6.0), ("autoencoder", 0.0)])
def test_a_posterior_that_collapses_is_seen_within_the_priors_circles(name: str, least: float) -> None:
    """Three standard deviations to either side; an AE has no prior, and its map follows its codes."""
    live: Any = SimpleNamespace(name=name)
    shown: Window | None = None
    for spread in (2.0, 0.5, 0.01):
        live.points = np.random.default_rng(0).normal(0, spread, (500, 2))
        shown = LiveModel.window(live, shown)
        assert shown.side >= least
    assert shown is not None
    assert (shown.side < 1) == (name == "autoencoder")
    if name == "vae":
        assert max(shown.left, shown.bottom) <= -2.9
        assert min(shown.right, shown.top) >= 2.9
