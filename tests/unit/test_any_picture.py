"""What a model gives for any 28 x 28 picture is finite."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer import drawing, inference, originals
from explorer.maps import Map
from explorer.models import ModelPair, open_models
from explorer.views.draw import encode_drawing
from training.checkpoint import other_betas
from training.experiments import EXPERIMENTS
from training.folders import checkpoints_dir

TWO_DOTS = drawing.mnist_form(drawing.rasterize([[40, 40], [240, 240]]))


def check(pair: ModelPair, picture: np.ndarray) -> None:
    for model in pair:
        placed = encode_drawing(pair, Map(model), picture)
        numbers = [placed.reconstruction, placed.kl or 0.0, *np.ravel(placed.point), *np.ravel(placed.outline)]
        assert np.isfinite(numbers).all()
        assert np.isfinite(placed.decode).all()
    gap = inference.inference_gap(pair.vae, originals.binarised_drawing(pair, picture))
    assert np.isfinite([gap.elbo, gap.q.kl]).all()
    if gap.true_posterior is not None:
        assert gap.true_posterior.log_evidence >= gap.elbo - 1e-3


@pytest.mark.parametrize(
    ("name", "beta"),
    [(name, None) for name in EXPERIMENTS if (checkpoints_dir() / name).is_dir()]
    + [("mnist-2d", beta) for beta in other_betas(checkpoints_dir() / "mnist-2d")],
)
def test_two_dots_far_apart(name: str, beta: float | None) -> None:
    assert TWO_DOTS is not None
    check(open_models(checkpoints_dir() / name, beta=beta), TWO_DOTS)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrays(np.uint8, (28, 28), elements=st.sampled_from([0, 0, 0, 128, 255]), fill=st.nothing()))
def test_any_noise(picture: np.ndarray) -> None:
    check(open_models(checkpoints_dir() / "mnist-2d"), picture)
