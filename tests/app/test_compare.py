"""Compare."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from explorer import evaluation
from explorer.models import open_models
from explorer.sweeps import latent_sizes
from tests.app.conftest import html
from tests.conftest import ROOT, call_mnist
from training.classifier import load_classifier
from training.experiments import Experiment
from training.sweep_table import Point, Row, SweepTable, Terms, read_table, table_path, write_table


def test_compare_shows_what_was_measured(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Compare"
    app.run()
    assert not app.exception
    assert f"`python -m explorer measure {experiment.name}`" in app.info[0].value
    pair = open_models(checkpoints / experiment.name)
    measured = evaluation.evaluate_pair(pair, load_classifier(checkpoints, "digits")[0], lambda told: None)
    evaluation.write_evaluation(checkpoints / experiment.name, measured)
    app.run()
    assert not app.exception
    told = " ".join(text.value for text in app.markdown)
    for model in ("autoencoder", "vae"):
        for name, text in (("knn_accuracy", "{:.1%}"), ("jump", "{:.2f}"), ("plane_entropy", "{:.2f} nats")):
            assert text.format(measured.values[model][name]).replace("%", " %") in told
        assert f"{measured.overlap[model][3]:.1%}".replace("%", " %") in told
    assert told.count("– (an AE has no prior)") == 2
    # The better number is bold, and what the textbook says of it is judged by it.
    ae, vae = (measured.values[model]["centre_over_spread"] for model in ("autoencoder", "vae"))
    assert f"**{min(ae, vae):.2f}**" in told
    app.query_params["hide"] = "interpolate"
    app.run()
    assert app.button("show_jump").disabled  # the lesson leaves its tool out
    assert not app.button("show_knn_accuracy").disabled
    app.query_params["hide"] = ""
    app.run()
    app.button("show_jump").click().run()
    assert not app.exception
    assert app.session_state["tab"] == "Interpolate"
    assert 'data-name="frame-vae"' in html(app)


def test_compare_shows_the_study_of_latent_sizes(app: AppTest, checkpoints: Path) -> None:
    app.query_params["tab"] = "Compare"
    app.run()
    assert "latent-sizes.sweep.safetensors is missing" in app.error[0].value
    shutil.copy(ROOT / "checkpoints" / "latent-sizes.sweep.safetensors", checkpoints)
    app.run()
    (smallest, *_, largest) = latent_sizes(read_table(table_path(checkpoints, "latent-sizes")))
    told = " ".join(text.value for text in app.markdown)
    for model in ("autoencoder", "vae"):
        first, last = (size.training[model].reconstruction for size in (smallest, largest))
        assert f"goes from {first:.2f} nats to {last:.2f} nats".replace("-", "−") in told
        assert last > first
    assert "The claim does not hold" in told


def test_compare_shows_the_plane_of_a_sweep(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Compare"
    app.run()
    assert "There is no sweep yet" in " ".join(text.value for text in app.markdown)
    points = [Point("vae", size, experiment.hidden_layers, beta, 0) for beta in (0.5, 1.0) for size in (2, 3)]
    rows = [Row(p, Terms(-9.0 - p.beta, p.latent_dim), Terms(-9.0 - p.beta, p.latent_dim)) for p in points]
    rows = [replace(row, kl_of_dimensions=(1.0,) * row.point.latent_dim) for row in rows]
    write_table(table_path(checkpoints, "mine"), SweepTable(experiment, "", 1, tuple(rows)))
    shutil.copy(table_path(ROOT / "checkpoints", "betas"), checkpoints)
    table_path(checkpoints, "damaged").write_bytes(b"no table")
    app.run()
    assert app.selectbox("sweep").options == ["betas", "damaged", "mine"]
    assert app.selectbox("sweep").value == "betas"
    app.selectbox("sweep").select("damaged").run()
    assert any("damaged.sweep.safetensors is no safetensors file" in error.value for error in app.error)
    app.selectbox("sweep").select("mine").run()
    assert not app.exception
    told = " ".join(text.value for text in [*app.markdown, *app.caption])
    assert "The best mean ELBO is −11.50 nats, at beta 0.5, latent size 2." in told
    assert "One model was kept: a click opens it." in told
    assert app.query_params["sweep"] == "mine"


def test_it_is_measured_on_a_click(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    call_mnist(checkpoints, experiment)  # without images there is less to compute
    app.query_params["tab"] = "Compare"
    app.run()
    (button,) = (button for button in app.button if button.label == "Measure it")
    button.click().run()
    for _ in range(900):
        assert not app.exception
        if not app.get("progress"):
            break
        assert not app.info  # how far it is stands there instead
        time.sleep(0.1)
        app.run()
    measured = evaluation.read_evaluation(checkpoints / experiment.name, open_models(checkpoints / experiment.name))
    told = " ".join(text.value for text in app.markdown)
    assert f"{measured.values['vae']['jump']:.2f}" in told
    assert "Measure it" not in [button.label for button in app.button]
