"""Explore."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from explorer import latent
from explorer.classes import DIGITS, Classes
from tests.app.conftest import decode, html, shown
from tests.conftest import ROOT, rewrite
from training.checkpoint import Checkpoint, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment


def test_explore_decodes_the_pick_and_says_where_it_lies(
    app: AppTest, checkpoints: Path, experiment: Experiment
) -> None:
    app.run()
    assert not app.exception
    app.number_input("vae_x").set_value(0.5)
    app.number_input("vae_y").set_value(-0.25).run()
    assert not app.exception
    np.testing.assert_allclose(shown(app, "pick-vae"), decode(checkpoints, experiment, "vae", (0.5, -0.25)), atol=0.003)
    codes = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).codes()
    near = latent.nearest(codes.code, (0.5, -0.25))
    away = f"{near.distance:.2g} away".replace("-", "−")
    assert f"<b>{Classes(DIGITS).called(codes.labels[near.image])}</b> (image {near.image}), {away}" in html(app)
    assert "Decoded at (0.5, −0.25)" in html(app)
    # The nearest test digit is ringed, and both models decode their own code of it.
    assert app.number_input("digit").value == near.image
    for model in ("autoencoder", "vae"):
        own = Checkpoint(checkpoint_path(checkpoints / experiment.name, model)).codes().code[near.image]
        np.testing.assert_allclose(
            shown(app, f"ringed-{model}"), decode(checkpoints, experiment, model, tuple(own.tolist())), atol=0.003
        )


def test_a_far_point_is_said_to_lie_in_a_gap(app: AppTest) -> None:
    app.run()
    assert "Among the codes" in html(app)
    app.number_input("ae_x").set_value(1e4).run()
    assert "In a gap" in html(app)
    assert "sparser than at any code" in html(app)


def test_both_faces_and_the_number_of_decodes(app: AppTest) -> None:
    app.run()
    app.segmented_control("face").set_value("grid").run()
    assert not app.exception
    app.number_input("n").set_value(7).run()
    assert not app.exception
    assert app.session_state["n"] == 7


def test_original_stands_beside_its_decodes(app: AppTest, digits: Data) -> None:
    # The bundled digits need no files, so their originals are always at hand.
    app.run()
    app.number_input("digit").set_value(17).run()
    expected = digits.test.images[17].numpy() / 255
    np.testing.assert_allclose(shown(app, "original"), expected, atol=0.003)


def test_maps_show_what_the_classifier_reads(app: AppTest) -> None:
    app.run()
    before = [len(json.loads(chart.proto.spec)["layout"].get("images", [])) for chart in app.get("plotly_chart")]
    assert before == [0, 0]
    app.toggle("reading").set_value(True).run()
    assert not app.exception
    after = [len(json.loads(chart.proto.spec)["layout"]["images"]) for chart in app.get("plotly_chart")]
    assert after == [1, 1]
    app.segmented_control("face").set_value("grid").run()
    assert not app.exception


def test_on_the_heap_of_a_collapsed_posterior_nothing_is_a_gap(
    app: AppTest, checkpoints: Path, experiment: Experiment
) -> None:
    def collapse(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
        arrays["codes.code"] = (1e-6 * arrays["codes.code"]).astype(arrays["codes.code"].dtype)

    rewrite(checkpoint_path(checkpoints / experiment.name, "vae"), collapse)
    app.query_params.update({"vae_x": "0.001", "vae_y": "0"})  # farther from the heap than any of its codes
    app.run()
    assert not app.exception
    vae = next(part for part in html(app).split("Decoded at ") if part.startswith("(0.001, 0)</h5>"))
    assert "Among the codes" in vae
    assert "its nearest codes lie less than a dot away" in vae
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update({"vae_x": "0.5", "vae_y": "0"})
    app.run()
    vae = next(part for part in html(app).split("Decoded at ") if part.startswith("(0.5, 0)</h5>"))
    assert "In a gap" in vae
