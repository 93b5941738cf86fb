"""Traverse."""

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from tests.app.conftest import decode, shown
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment


def test_traverse_moves_the_pick_along_a_dimension(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Traverse"
    app.query_params["vae_x"], app.query_params["vae_y"] = "0.5", "-0.25"
    app.run()
    assert not app.exception
    np.testing.assert_allclose(shown(app, "moved-vae"), decode(fitted, experiment, "vae", (0.5, -0.25)), atol=0.003)
    app.slider("move_2").set_value(1.5).run()
    assert not app.exception
    # The VAE is moved by standard deviations of its prior, the AE by those of its codes.
    np.testing.assert_allclose(shown(app, "moved-vae"), decode(fitted, experiment, "vae", (0.5, 1.25)), atol=0.003)
    codes = Checkpoint(checkpoint_path(fitted / experiment.name, "autoencoder")).codes().code
    x, y = (codes[0].round(3) + np.array([0, 1.5 * codes[:, 1].std()])).tolist()
    np.testing.assert_allclose(
        shown(app, "moved-autoencoder"), decode(fitted, experiment, "autoencoder", (x, y)), atol=0.003
    )
    # The film's frame at the slider is the same decode.
    film = shown(app, "dimension-2-vae")
    np.testing.assert_allclose(film[:, 9 * 28 : 10 * 28], shown(app, "moved-vae"), atol=0.003)
    app.button[-1].click().run()
    assert app.slider("move_2").value == 0
