"""The translator of losses, in Compare and in Learn."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.models import open_models
from explorer.sweeps import latent_sizes
from tests.conftest import ROOT
from training.datasets import load
from training.experiments import Experiment
from training.sweep_table import read_table, table_path


def ask(app: AppTest, **choices: str) -> AppTest:
    app.query_params.update({"tab": "Compare", "translate": "true", **choices})
    app.run()
    assert not app.exception
    assert not app.warning
    return app


def answer(app: AppTest) -> str:
    (text,) = (each.value for each in app.markdown if each.value.startswith("####") and "nats per image" in each.value)
    return str(text)


def notes(app: AppTest) -> str:
    (text,) = (each.value for each in app.caption if "Look for the marks" in each.value)
    return str(text)


def marks(app: AppTest) -> dict[str, float]:
    """The rows of the scale: name and place."""
    for chart in app.get("plotly_chart"):
        spec = json.loads(chart.proto.spec)
        names = spec["layout"].get("yaxis", {}).get("ticktext", [])
        if "<b>your number</b>" in names:
            return dict(zip(names, spec["data"][0]["x"], strict=True))
    raise AssertionError("no scale")


def test_the_forums_number_is_the_collapse_that_can_be_seen(shipped: AppTest) -> None:
    ask(shipped, experiment="mnist-2d", loss="0.2634")
    assert "−206.5 nats per image" in answer(shipped)
    assert "This is collapse" in answer(shipped)
    assert "beta = 784" in answer(shipped)
    found = marks(shipped)
    assert found["<b>your number</b>"] == pytest.approx(-206.5, abs=0.05)
    assert found["every pixel at one half"] == pytest.approx(-784 * np.log(2))
    # What a VAE reaches that was fitted until its posterior collapsed, to the same images: independent of our mean.
    collapsed = open_models(ROOT / "checkpoints" / "mnist-2d", 40.0).vae.checkpoint.test
    assert collapsed["kl"] < 0.1
    assert found["the mean image"] == pytest.approx(collapsed["elbo"], abs=0.2)
    test = open_models(ROOT / "checkpoints" / "mnist-2d").vae.checkpoint.test
    assert (found["the VAE's ELBO"], found["the VAE's log p(x|z)"]) == (test["elbo"], test["reconstruction"])
    assert "the VAE's log p(x), 500 images" in found
    for size in latent_sizes(read_table(table_path(ROOT / "checkpoints", "latent-sizes"))):
        if size.latent_dim in (2, 8, 32):
            assert found[f"the ELBO of a VAE of {size.latent_dim} dimensions"] == size.test["vae"].elbo
    shipped.button("show_loss").click().run()
    assert not shipped.exception
    assert shipped.segmented_control("tab").value == "Beta"
    assert shipped.session_state["beta"] == 40.0
    assert "**Collapsed:**" in " ".join(text.value for text in shipped.markdown)


@pytest.mark.parametrize(("of", "exact"), [("grey", -205.8), ("squared", -52.72)])
def test_the_mean_image_is_found_on_grey_images_too(shipped: AppTest, of: str, exact: float) -> None:
    data = load("mnist", ROOT / "data", download=False)
    mean = data.train.images.double().mean(0) / 255
    x = data.test.images.double() / 255
    reported = (x - mean).square().mean() if of == "squared" else torch_cross_entropy(x, mean)
    assert -784 * float(reported) == pytest.approx(exact, abs=0.3)
    ask(shipped, experiment="mnist-2d", loss=f"{float(reported):.4f}", loss_of=of, loss_kl="none")
    assert "That is the mean image" in answer(shipped)
    found = marks(shipped)
    assert found["every pixel at one half"] < found["the mean image"] < found["the VAE, without KL"]
    assert found["the VAE, with KL"] < found["the VAE, without KL"] < found["a perfect copy"]


def torch_cross_entropy(x: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.binary_cross_entropy(p.clamp(1e-5, 1 - 1e-5).expand_as(x), x)


def test_what_an_experiment_lacks_is_left_out_and_said(app: AppTest, experiment: Experiment) -> None:
    """No measures, another data set than the study's."""
    ask(app)
    found = marks(app)
    assert not [name for name in found if "log p(x)," in name or "dimensions" in name]
    assert "log p(x) is left out" in notes(app)
    assert "The study of latent sizes is left out" in notes(app)
    assert "the mean image" in found  # scikit-learn brings the digits along


def test_where_only_test_images_come_along_their_mean_is_the_mean_image(shipped: AppTest) -> None:
    ask(shipped, experiment="fashion-mnist-2d", loss="0.49")
    assert "The mean image is theirs, too" in notes(shipped)
    assert "This is collapse" in answer(shipped)
    assert shipped.button("show_loss").click().run().session_state["tab"] == "Traverse"  # one VAE: none collapsed


def test_images_of_another_size_are_not_compared(app: AppTest) -> None:
    ask(app, loss="0.9", loss_pixels="3072")
    assert list(marks(app)) == ["<b>your number</b>", "every pixel at one half"]
    assert "The images here have 784 pixels" in notes(app)
    assert "Worse than every pixel at one half" in answer(app)


def test_grey_images_are_not_compared_with_black_and_white_ones(shipped: AppTest) -> None:
    ask(shipped, experiment="mnist-14px-8d", loss="0.3", loss_of="grey")
    assert len(marks(shipped)) == 2
    assert "The images here are black and white" in notes(shipped)


def test_another_experiments_images_have_their_own_size(shipped: AppTest) -> None:
    ask(shipped, experiment="mnist-2d")
    assert shipped.number_input("loss_pixels").value == 784
    shipped.selectbox("experiment").set_value("mnist-14px-8d").run()
    assert not shipped.exception
    assert shipped.number_input("loss_pixels").value == 196


def test_a_log_likelihood_is_a_loss_with_the_other_sign(app: AppTest) -> None:
    said = [answer(ask(app, loss=value, loss_per="image", loss_kl="alike")) for value in ("300", "-300")]
    assert said[0] == said[1]
    assert said[0].startswith("#### −300.0 nats per image")


def test_a_sum_over_a_batch_says_the_same_as_its_mean(app: AppTest) -> None:
    mean = answer(ask(app, loss="150", loss_per="image", loss_kl="alike"))
    assert answer(ask(app, loss="19200", loss_per="image", loss_kl="alike", loss_images="128")) == mean


def test_a_squared_error_has_no_bits_and_wants_its_sigma(app: AppTest) -> None:
    ask(app, loss="0.1", loss_per="bits")
    assert "loss_sigma" not in [each.key for each in app.number_input]
    app.segmented_control("loss_of").set_value("squared").run()
    assert not app.exception
    assert app.segmented_control("loss_per").value == "pixel"
    narrow = answer(app)
    app.number_input("loss_sigma").set_value(0.5).run()
    assert answer(app) != narrow
    assert "needs its sigma" in answer(app)


@pytest.mark.parametrize(
    "nonsense",
    [
        *({"loss": value} for value in ("nan", "inf", "1e308", "words")),
        {"loss_pixels": "0"},
        {"loss_images": "0"},
        {"loss_of": "x", "loss_per": "y", "loss_kl": "z"},
    ],
)
def test_a_damaged_link_opens_with_what_is_usual(app: AppTest, nonsense: dict[str, str]) -> None:
    assert "−206.5 nats per image" in answer(ask(app, **nonsense))


def test_it_is_folded_until_it_is_wanted(app: AppTest) -> None:
    app.query_params["tab"] = "Compare"
    app.run()
    assert "loss" not in [each.key for each in app.number_input]


def test_the_tours_step_on_the_elbo_has_it_too(app: AppTest) -> None:
    ask(app, tab="Learn", step="6", loss="250", loss_per="image")
    assert answer(app).startswith("#### −250.0 nats per image")


def test_a_damaged_file_leaves_a_landmark_out(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    (checkpoints / experiment.name / "measures.safetensors").write_bytes(b"nonsense")
    ask(app)
    assert "log p(x) is left out" in notes(app)
    assert "the VAE's ELBO" in marks(app)
