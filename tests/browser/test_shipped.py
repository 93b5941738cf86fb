"""The lens of every shipped map."""

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from explorer import map_layers
from explorer.maps import CROWD_SHARE, Map
from explorer.models import open_models
from explorer.stage import chart_of
from tests.browser.conftest import THERE
from tests.conftest import ROOT

CHECKPOINTS = ROOT / "checkpoints"


SHIPPED = ("mnist-2d", "mnist-14px-8d", "mnist-32d", "mnist-conv-2d", "fashion-mnist-2d", "digits-2d")


BETAS = (0.1, 40.0)  # of the VAEs beside mnist-2d's own: the sharpest, and the collapsed one


# The models of an experiment, by the beta of the VAE; None: its own.
ALL = [(experiment, None) for experiment in SHIPPED] + [("mnist-2d", beta) for beta in BETAS]


@pytest.mark.browser
@pytest.mark.parametrize(("experiment", "beta"), ALL)
def test_lens_is_right_and_small_enough(experiment: str, beta: float | None, page: Page, shipped: str) -> None:
    page.goto(f"{shipped}/?experiment={experiment}" + (f"&beta={beta:g}" if beta else ""))
    page.wait_for_function(THERE, timeout=120_000)  # computed for the first time
    pair = open_models(CHECKPOINTS / experiment, beta=beta)
    for model in pair if beta is None else (pair.vae,):  # the AE is the same at every beta
        map_ = Map(model)
        windows = {chart_of(map_): map_.window}
        if map_.crowd != map_.window:
            windows[f"{chart_of(map_)}/crowd"] = map_.crowd
            page.wait_for_function(f"latentAtlases.has('{chart_of(map_)}/crowd')")
        assert len(windows) == 1 + (experiment in ("mnist-2d", "fashion-mnist-2d") and model.name == "autoencoder")
        network = model.checkpoint.load_network()
        for name, window in windows.items():
            random = np.random.default_rng(0)
            points = (window.left, window.bottom) + window.side * random.uniform(size=(600, 2))
            # As text: millions of numbers would take minutes on their way.
            decode = f"([x, y]) => String.fromCharCode(...latentAtlases.get('{name}').decode(x, y))"
            text = page.evaluate(f"points => points.map({decode}).join('')", points.tolist())
            shown = np.frombuffer(text.encode("latin-1"), np.uint8).reshape(len(points), -1) / 255
            z = torch.as_tensor(map_.lift(points), dtype=torch.float32)
            parts = [network.decode(part).sigmoid().flatten(1) for part in z.split(128)]  # they fit into the cache
            error = np.abs(shown - torch.cat(parts).numpy())
            # Outside of the crowd, which has an atlas of its own, a map may be too wide for the largest atlas.
            tolerance = 2.5 if window == map_.window != map_.crowd else 1
            assert error.mean() < tolerance * 0.0022
            assert np.quantile(error, 0.99) < tolerance * 0.02
            assert len(map_layers.atlas(map_, window).image) < 1.12e6


@pytest.mark.browser
def test_first_view_holds_the_crowd_and_the_edges_say_what_lies_outside(page: Page, shipped: str) -> None:
    page.goto(f"{shipped}/?experiment=mnist-2d&ae_x=-100&ae_y=1")
    map_ = Map(open_models(CHECKPOINTS / "mnist-2d").ae)
    x, y = map_.points[:5000].T
    labels = map_.model.codes.labels[:5000]

    def said(beyond: np.ndarray) -> str:
        most = [str(label) for label in range(10) if beyond[labels == label].mean() > 0.5]
        return f"{beyond.sum()}, most of {', '.join(most)}" if most else str(beyond.sum())

    for view, window in (("crowd", map_.crowd), ("all codes", map_.window)):
        page.get_by_role("radio", name=view, exact=True).click()
        left, right = window.left, window.left + window.side
        between = (x >= left) & (x <= right)
        outside = {
            "◀ {}": x < left,
            "{} ▶": x > right,
            "▲ {}": between & (y > window.bottom + window.side),
            "▼ {}": between & (y < window.bottom),
        }
        expected = [text.format(said(beyond)) for text, beyond in outside.items() if beyond.any()]
        assert any("most of" in text for text in expected) == (view == "crowd")
        expect(page.locator(".st-key-map_autoencoder .outside")).to_have_text(expected)
        # The pick lies outside of the crowd, to the left.
        expect(page.locator(".st-key-map_autoencoder .away")).to_have_count(2 if view == "crowd" else 0)
    assert map_.share_in(map_.crowd) == pytest.approx(CROWD_SHARE, abs=0.001)
