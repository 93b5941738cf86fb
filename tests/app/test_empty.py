"""What can be empty says in a sentence what is missing and what to do; nothing is left blank."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer import evaluation
from explorer.selection import Drawing
from tests.app.conftest import html
from tests.conftest import ROOT, hide, rewrite
from training.checkpoint import MODEL_NAMES, checkpoint_path
from training.classifier import classifier_path
from training.datasets import Data
from training.experiments import Experiment

DOWNLOAD = "`python -m training fit` downloads the data set"
FIT_A_CLASSIFIER = "python -m training classifier digits"


def opened(app: AppTest, **choices: str) -> AppTest:
    app.query_params.update(choices)
    app.run()
    assert not app.exception
    return app


def told(app: AppTest) -> str:
    """All sentences on the page."""
    kinds = (app.markdown, app.caption, app.info, app.error)
    return " ".join([*(each.value for kind in kinds for each in kind), html(app)])


@pytest.fixture
def without_images(app: AppTest, checkpoints: Path, experiment: Experiment) -> AppTest:
    """The models were fitted to images that are not here."""
    for model in MODEL_NAMES:
        path = checkpoint_path(checkpoints / experiment.name, model)
        rewrite(path, lambda arrays, settings: settings["experiment"].update(dataset="mnist"))
    return app


@pytest.mark.parametrize(
    ("choices", "missing"),
    [
        ({"tab": "Explore"}, "The original image is not on this computer."),
        ({"tab": "Explore", "face": "images"}, "Dots: the test images are not on this computer."),
        ({"tab": "Draw"}, "Test images are not on this computer: shown are their codes, decoded."),
        ({"tab": "Reconstruct"}, "The images that these models were fitted to are not on this computer."),
        ({"tab": "Posterior"}, "This tool needs the test images, or a drawing (Draw)."),
    ],
)
def test_no_test_images(choices: dict[str, str], missing: str, without_images: AppTest) -> None:
    page = told(opened(without_images, **choices))
    assert f"{missing} " in page
    assert DOWNLOAD in page


def test_no_classifier(app: AppTest, checkpoints: Path, digits: Data) -> None:
    classifier_path(checkpoints, "digits").unlink()
    opened(app, tab="Generate")
    assert not app.error
    (info,) = app.info
    assert "No classifier reads these pictures yet: measuring fits one." in info.value
    app.selectbox("class").set_value("3").run()
    assert "Without a classifier no digit can be asked for" in told(app)
    assert FIT_A_CLASSIFIER in told(app)
    assert html(app).count("none found") == 2
    app.session_state["drawing"] = Drawing(image=digits.test.images[3].numpy())
    app.segmented_control("tab").set_value("Draw").run()
    assert "No classifier can read it here" in html(app)
    assert FIT_A_CLASSIFIER in html(app)
    # The maps are there all the same.
    app.toggle("reading").set_value(True).run()
    assert not app.exception
    (error,) = app.error
    assert FIT_A_CLASSIFIER in error.value
    assert len(app.get("plotly_chart")) == 2


def test_nothing_drawn(app: AppTest) -> None:
    opened(app, tab="Draw")
    assert html(app).count("Nothing drawn") == 3
    assert "Draw with the mouse, a pen, a finger, or the arrow keys and Space." in html(app)
    app.segmented_control("tab").set_value("Posterior").run()
    assert app.segmented_control("subject").help == "Nothing is drawn yet: draw a digit in the Draw tool."
    app.segmented_control("tab").set_value("Interpolate").run()
    said = [text.help for text in app.markdown if text.value in ("**From**", "**To**")]
    assert len(said) == 2
    assert all(text.startswith("Nothing is drawn yet: draw a digit in the Draw tool") for text in said)


def test_no_path_yet(app: AppTest) -> None:
    opened(app, path="true")
    assert html(app).count("Drag over the map: the images decoded along your path appear here.") == 2


def test_no_curves_and_no_film(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    def forget(arrays: dict[str, Any], settings: dict[str, Any]) -> None:
        for name in arrays:
            if name.startswith("history."):
                arrays[name] = arrays[name][:1]
            elif name in ("snapshots.update", "snapshots.code"):
                arrays[name] = arrays[name][-1:]

    for model in MODEL_NAMES:
        rewrite(checkpoint_path(checkpoints / experiment.name, model), forget)
    shutil.copytree(checkpoints / experiment.name, checkpoints / "mine")
    opened(app, tab="Training curves", experiment="mine")
    assert "fit it again, `python -m training fit mine --name mine-again`" in app.info[0].value
    app.selectbox("experiment").set_value(experiment.name).run()
    curves, film = "so there are no curves", "so there is no film"
    for sentence in (curves, film):
        (said,) = (info.value for info in app.info if sentence in info.value)
        assert f"fit it again, `python -m training fit {experiment.name}`" in said
    assert len(app.get("plotly_chart")) == 2  # the maps


def test_no_other_beta(app: AppTest, experiment: Experiment) -> None:
    page = told(opened(app, tab="Beta"))
    assert "This experiment has one VAE, of beta 1." in page
    assert f"`python -m training fit {experiment.name} --beta 4` fits one more" in page


def test_no_other_beta_but_what_was_moved_by_hand(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    moved = [{"update": 50, "beta": 20.0, "learning_rate": 0.001}]
    path = checkpoint_path(checkpoints / experiment.name, "vae")
    rewrite(path, lambda arrays, settings: settings.update(changes=moved))
    assert "This experiment has one VAE, of beta 1, moved to 20 during the fit." in told(opened(app, tab="Beta"))


def test_nothing_measured(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    opened(app, tab="Compare")
    (numbers,), (sizes,) = app.info, app.error
    assert f"{experiment.name} has not been measured yet. It takes some minutes" in numbers.value
    assert f"In a terminal: `python -m explorer measure {experiment.name}`" in numbers.value
    assert "python -m training sweep latent-sizes" in sizes.value
    shutil.copy(ROOT / "checkpoints" / "latent-sizes.sweep.safetensors", checkpoints)
    values = {model: dict.fromkeys(names, 1.0) for model, names in evaluation.METRICS.items()}
    overlap = {model: [0.0] * 10 for model in MODEL_NAMES}
    evaluation.write_evaluation(checkpoints / experiment.name, evaluation.Evaluation(values, overlap, {}, {}))
    app.run()
    assert not app.error
    assert not app.info
    assert "The gap between ELBO and log p(x) is missing." in told(app)


@pytest.mark.parametrize("tab", ["Explore", "Draw", "Reconstruct", "Posterior"])
def test_a_data_folder_that_may_not_be_read(
    tab: str, without_images: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "kmnist.safetensors").touch()
    hide(hidden, monkeypatch)
    monkeypatch.setenv("LATENT_DATA_DIR", str(hidden))
    assert "may not be read; allow it, or name another folder" in told(opened(without_images, tab=tab))
