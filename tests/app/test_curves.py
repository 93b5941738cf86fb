"""Training curves."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from explorer.views.curves import FILM_STEP_SECONDS
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment


def test_curves_tell_the_test_figures(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Training curves"
    app.run()
    assert not app.exception
    test = {m: Checkpoint(checkpoint_path(checkpoints / experiment.name, m)).test for m in ("vae", "autoencoder")}
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


def test_film_follows_the_clock_whatever_a_slow_browser_reports(
    app: AppTest, checkpoints: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("explorer.views.curves.time", SimpleNamespace(monotonic=lambda: now))
    updates = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).snapshots().update.tolist()
    app.query_params.update({"tab": "Training curves", "moment": str(updates[-4])})
    app.run()
    app.button("play").click().run()
    for moment in (-3, -2, -1):
        now += FILM_STEP_SECONDS
        # Each time the browser still has the moment before; no person set it.
        slider = app.select_slider("moment")
        slider.proto.disabled = False
        slider.set_value(updates[moment - 1]).run()
        assert not app.exception
        assert app.select_slider("moment").value == updates[moment]
        assert app.button("play").label == "Pause"
        assert app.select_slider("moment").disabled
    now += FILM_STEP_SECONDS
    slider = app.select_slider("moment")
    slider.proto.disabled = False
    slider.set_value(updates[-2]).run()
    assert app.select_slider("moment").value == updates[-1]
    assert app.button("play").label == "Play"
    # Later the slider is the reader's again.
    now += 60
    app.select_slider("moment").set_value(updates[2]).run()
    assert app.select_slider("moment").value == updates[2]
    # A pause keeps the moment that was shown; from the last one, it plays from the beginning.
    app.button("play").click().run()
    now += 1.5 * FILM_STEP_SECONDS
    app.button("play").click().run()
    assert app.button("play").label == "Play"
    assert app.select_slider("moment").value == updates[3]
    app.select_slider("moment").set_value(updates[-1]).run()
    app.button("play").click().run()
    assert app.select_slider("moment").value == updates[0]
