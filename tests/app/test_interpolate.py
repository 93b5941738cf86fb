"""Interpolate."""

from pathlib import Path

import numpy as np
import torch
from streamlit.testing.v1 import AppTest

from explorer.selection import Drawing
from explorer.views.interpolate import FRAMES
from tests.app.conftest import decode, shown
from training.checkpoint import Checkpoint, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment


def test_interpolation_runs_from_end_to_end(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Interpolate"
    app.run()
    assert not app.exception
    codes = Checkpoint(checkpoint_path(fitted / experiment.name, "autoencoder")).codes()
    for frame, end, digit in ((0, "from", 2), (FRAMES - 1, "to", 6)):
        app.slider("frame").set_value(frame).run()
        image = int(app.number_input(f"{end}_image").value or 0)
        assert codes.labels[image] == digit
        expected = decode(fitted, experiment, "autoencoder", tuple(codes.code[image].tolist()))
        np.testing.assert_allclose(shown(app, "frame-autoencoder"), expected, atol=0.003)


def test_ends_can_be_another_digit_or_the_pick(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Interpolate"
    app.run()
    codes = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).codes()
    app.selectbox("from_class").set_value(9).run()
    first = app.number_input("from_image").value
    assert first == np.flatnonzero(codes.labels == 9)[0]
    app.button("from_another").click().run()
    assert app.number_input("from_image").value == np.flatnonzero(codes.labels == 9)[1]
    app.number_input("from_image").set_value(3).run()
    assert app.selectbox("from_class").value == codes.labels[3]
    app.segmented_control("from").set_value("pick").run()
    app.number_input("vae_x").set_value(1.0).run()
    app.number_input("vae_y").set_value(1.0).run()
    app.slider("frame").set_value(0).run()
    assert not app.exception
    np.testing.assert_allclose(shown(app, "frame-vae"), decode(fitted, experiment, "vae", (1.0, 1.0)), atol=0.003)


def test_both_ends_can_be_the_pick_and_it_is_said_that_they_are_one(app: AppTest) -> None:
    app.query_params.update({"tab": "Interpolate", "from": "pick", "to": "pick"})
    app.run()
    assert not app.exception
    assert any("Both ends are the same pick" in text.value for text in app.markdown)


def test_a_path_can_begin_at_what_is_drawn(
    app: AppTest, checkpoints: Path, experiment: Experiment, digits: Data
) -> None:
    app.query_params["tab"] = "Interpolate"
    app.run()
    assert app.segmented_control("from").options == ["test digit", "pick"]
    form = digits.test.images[5].numpy()
    app.session_state["drawing"] = Drawing(image=form)
    app.run()
    app.segmented_control("from").set_value("what you drew").run()
    app.slider("frame").set_value(0).run()
    assert not app.exception
    model = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).load_network()
    with torch.inference_mode():
        code = model.encode(torch.as_tensor(form)[None] / 255)[0].tolist()
    np.testing.assert_allclose(shown(app, "frame-vae"), decode(checkpoints, experiment, "vae", tuple(code)), atol=0.003)


def test_an_end_stays_what_is_drawn_until_the_browser_hands_the_drawing_over(
    app: AppTest, checkpoints: Path, experiment: Experiment, digits: Data
) -> None:
    app.query_params.update({"tab": "Interpolate", "to": "what you drew", "to_image": "7", "frame": str(FRAMES - 1)})
    app.run()
    assert not app.exception
    assert any("Nothing is drawn yet" in caption.value for caption in app.caption)
    codes = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).codes().code
    expected = decode(checkpoints, experiment, "vae", tuple(codes[7].tolist()))
    np.testing.assert_allclose(shown(app, "frame-vae"), expected, atol=0.003)
    app.session_state["drawing"] = Drawing(image=digits.test.images[5].numpy())
    app.run()
    assert app.segmented_control("to").value == "what you drew"
    assert app.query_params["to"] == "what you drew"
    assert not any("Nothing is drawn yet" in caption.value for caption in app.caption)
    assert "to_image" not in {each.key for each in app.number_input}
