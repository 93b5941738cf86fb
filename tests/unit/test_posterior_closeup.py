"""Close-ups of a posterior: any part of the plane can be looked at, whatever lies in it."""

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer import figures
from explorer.evaluation import binarised
from explorer.inference import inference_gap
from explorer.latent import Window
from explorer.maps import Map
from explorer.models import open_models
from explorer.posterior import TruePosterior
from explorer.views.posterior import CloseUp, close_up_window, posterior_figure
from training.datasets import load
from training.folders import checkpoints_dir, data_dir

AXES = figures.Axes(("latent dimension 1", "latent dimension 2"), ("sd", "sd"))


def arrows(figure: go.Figure) -> list[go.layout.Annotation]:
    """The annotations that point at something; the others name an axis."""
    return [each for each in figure.layout.annotations if each.showarrow is not False]


@pytest.fixture(scope="module")
def bell() -> TruePosterior:
    """A Gaussian with standard deviation 0.1 around the origin, on a grid of steps of 0.02."""
    axis = np.arange(51)
    cells = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    distances = np.linalg.norm(-0.51 + (cells + 0.5) * 0.02, axis=1) / 0.1
    return TruePosterior(0.0, 0.1, 0.02, cells, -0.51, -(distances**2) / 2)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(1e-6, 1e4))
def test_any_window_is_drawn_and_both_regions_are_named(
    bell: TruePosterior, left: float, bottom: float, side: float
) -> None:
    window = Window(left, bottom, side)
    truth = bell.points[bell.credible_radius <= 2]
    belief = np.array([[3.0, 3.0], [3.1, 3.1]])
    x, y, radius = bell.rasterize(window)
    assert radius.shape == (len(y), len(x))
    assert min(radius.shape) >= 2
    assert max(radius.shape) <= 160
    shown = figures.contours(x, y, radius, window, AXES, belief, truth)
    for region, note in zip((truth, belief), arrows(shown), strict=True):
        inside = ((region >= (left, bottom)) & (region <= (left + side, bottom + side))).all(axis=1).any()
        assert note.text.endswith("outside, this way") != inside
        # The arrow's head is on the map.
        slack = 1e-6 * max(side, abs(left), abs(bottom))
        assert left - slack <= note.x <= left + side + slack
        assert bottom - slack <= note.y <= bottom + side + slack
        if inside:  # and so is the text, on a map of 275 pixels: below it there is the name of the axis
            assert 0.05 < (note.y - bottom) / side - note.ay / 275 < 0.95


def test_an_arrow_to_what_lies_outside_points_there(bell: TruePosterior) -> None:
    window = Window(2.0, -0.5, 1.0)  # right of the truth
    belief = np.array([[2.4, 0.0], [2.6, 0.1]])
    shown = figures.contours(*bell.rasterize(window), window, AXES, belief, bell.points[bell.credible_radius <= 2])
    truth = arrows(shown)[0]
    assert truth.text == "exact posterior p(z|x)<br>outside, this way"
    assert truth.x < 2.1
    assert truth.ax > 0  # the text stands right of the arrow's head, which points to the left


@pytest.mark.parametrize("beta", [None, 0.1])
def test_every_close_up_of_shipped_images_can_be_drawn(beta: float | None) -> None:
    vae = open_models(checkpoints_dir() / "mnist-2d", beta=beta).vae
    seen = binarised(load("mnist", data_dir(), download=False).test.images)
    for image in seen[[8, 33, 38, 43, 0]]:  # the truth of the first four lies outside the belief's close-up
        for subject in CloseUp:
            window = close_up_window(inference_gap(vae, image), subject)
            assert len(arrows(posterior_figure(Map(vae), image, window))) == 2
