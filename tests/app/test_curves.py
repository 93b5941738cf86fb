"""Training curves."""

import base64
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from explorer.components.film import quantise
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment


def test_curves_tell_the_test_figures(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Training curves"
    app.run()
    assert not app.exception
    test = {m: Checkpoint(checkpoint_path(fitted / experiment.name, m)).test for m in ("vae", "autoencoder")}
    values = {metric.label: metric.value for metric in app.metric}
    assert values == {
        "VAE ELBO": f"−{-test['vae']['elbo']:.2f} nats",
        "VAE reconstruction": f"−{-test['vae']['reconstruction']:.2f} nats",
        "VAE KL": f"{test['vae']['kl']:.2f} nats",
        "AE reconstruction": f"−{-test['autoencoder']['reconstruction']:.2f} nats",
    }
    app.segmented_control("x_axis").set_value("seconds").run()
    app.toggle("log").set_value(False).run()
    assert not app.exception


def test_where_the_film_stopped_is_kept() -> None:
    def stop() -> None:
        import streamlit as st

        from explorer.views import curves

        st.text(curves.shown_moment([0, 1, 5, 20]))
        curves.keep_moment([0, 1, 5, 20], 2)
        st.text(curves.shown_moment([0, 1, 5, 20]))
        curves.keep_moment([0, 1, 5, 20], 0)
        st.text(curves.shown_moment([0, 1, 5, 20]))

    stopped = AppTest.from_function(stop).run()
    assert [text.value for text in stopped.text] == ["3", "2", "0"]  # at first the end
    assert stopped.query_params["moment"] == "0"


def test_points_of_the_film_are_packed_within_a_hundredth_of_a_pixel() -> None:
    points = np.random.default_rng(0).normal(size=(5, 40, 2)) * 30
    packed = quantise("map_vae", points)
    steps = np.frombuffer(base64.b64decode(packed.points), "<u2").reshape(points.shape)
    assert np.abs(packed.low + steps / 65535 * packed.span - points).max() < packed.span / 100_000
