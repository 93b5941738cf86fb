"""An experiment with one of the two models: the other half of the stage says so, all that one can do works."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest
from torch import nn

from tests.app.conftest import html
from tests.conftest import TABS, run_command
from training.__main__ import app as command_line
from training.checkpoint import MODEL_NAMES, MODEL_WORDS, checkpoint_path
from training.experiments import Experiment

NEED = {"autoencoder": {"Compare", "Learn"}, "vae": {"Compare", "Learn", "Posterior", "Beta"}}
WIDTHS = (784, 30, 2)


@pytest.fixture
def one_model(request: pytest.FixtureRequest, app: AppTest, checkpoints: Path, experiment: Experiment) -> AppTest:
    checkpoint_path(checkpoints / experiment.name, request.param).unlink()
    return app


def bring(checkpoints: Path, name: str, folder: Path) -> None:
    """Import an AE of random weights, fitted to the digits."""
    torch.manual_seed(0)
    halves = {
        half: nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c))
        for half, (a, b, c) in (("encoder", WIDTHS), ("decoder", WIDTHS[::-1]))
    }
    save_file(nn.ModuleDict(halves).state_dict(), folder / "ae.safetensors")
    options = ["--encoder", "encoder", "--decoder", "decoder", "--dataset", "digits", "--checkpoints", str(checkpoints)]
    assert run_command(command_line, "import-weights", name, folder / "ae.safetensors", *options).exit_code == 0


@pytest.mark.parametrize(("one_model", "lacking"), [(each, each) for each in MODEL_NAMES], indirect=["one_model"])
def test_every_tool_works_or_says_what_it_needs(lacking: str, one_model: AppTest, experiment: Experiment) -> None:
    other = next(each for each in MODEL_NAMES if each != lacking)
    one_model.run()
    for tool in TABS:
        one_model.segmented_control("tab").set_value(tool).run()
        assert not one_model.exception, tool
        assert not one_model.error, tool
        infos = [info.value for info in one_model.info]
        command = f"python -m training fit {experiment.name} --model {lacking}"
        assert any(f"{experiment.name} has no {MODEL_WORDS[lacking]}" in each and command in each for each in infos)
        assert any(f"{tool} needs a" in each for each in infos) is (tool in NEED[lacking]), tool
    one_model.segmented_control("tab").set_value("Explore").run()
    assert f'data-name="pick-{other}"' in html(one_model)
    assert f'data-name="pick-{lacking}"' not in html(one_model)
    assert len(one_model.get("plotly_chart")) == 1
    captions = " ".join(caption.value for caption in one_model.caption)
    assert f"{experiment.name} has no {MODEL_WORDS[lacking]}. Open it" in captions


@pytest.mark.parametrize("one_model", ["autoencoder"], indirect=True)
def test_what_one_model_says_is_as_in_company(one_model: AppTest) -> None:
    one_model.query_params["tab"] = "Reconstruct"
    one_model.query_params["images"] = "worst test images"
    one_model.query_params["rank"] = "AE reconstruction"  # as a link to a whole experiment says it
    one_model.run()
    assert not one_model.exception
    assert one_model.segmented_control("rank").options == ["VAE ELBO"]
    heads = [head for head in ("AE", "AE error", "VAE", "VAE error", "VAE: ELBO") if f"<th>{head}<" in html(one_model)]
    assert heads == ["VAE", "VAE error", "VAE: ELBO"]
    one_model.segmented_control("tab").set_value("Generate").run()
    titles = [each.value for each in one_model.markdown if each.value.startswith("#####")]
    assert titles == ["##### VAE, the same z ~ N(0, I)"]


def test_imported_models_say_that_their_fit_is_not_recorded(app: AppTest, checkpoints: Path, tmp_path: Path) -> None:
    bring(checkpoints, "mine", tmp_path)
    app.query_params["experiment"] = "mine"
    app.run()
    for tool in TABS:
        app.segmented_control("tab").set_value(tool).run()
        assert not app.exception, tool
        assert not app.error, tool
        recorded = [info.value for info in app.info if "are not recorded" in info.value]
        assert bool(recorded) is (tool == "Training curves")
    details = " ".join(each.value for each in app.markdown)
    assert "784-30-2-30-784" in details
    assert "| **fit** | not recorded |" in details


def test_files_of_other_programs_are_named_with_the_way_to_bring_them(app: AppTest, checkpoints: Path) -> None:
    (checkpoints / "theirs").mkdir()
    for name in ("vae.pt", "model.h5"):
        (checkpoints / "theirs" / name).write_bytes(b"never opened")
    app.query_params["experiment"] = "theirs"
    app.run()
    assert not app.exception
    (error,) = app.error
    assert "vae.pt is PyTorch's own file" in error.value
    assert "model.h5 is Keras' own file" in error.value
    assert "python -m training import-weights theirs vae.safetensors" in error.value
    assert any("theirs has no AE and no VAE. Open it" in caption.value for caption in app.caption)
