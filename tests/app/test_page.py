"""What all tabs share: the top bar, links, experiments that cannot be opened."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.classes import DIGITS, Classes
from tests.app.conftest import decode, html, shown
from tests.conftest import ROOT, rewrite, run_command
from training.__main__ import app
from training.checkpoint import Checkpoint, checkpoint_path, experiment_names, misnamed
from training.experiments import Experiment
from training.folders import CHECKPOINTS_VARIABLE


def test_links_name_the_digit_and_the_ends(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    codes = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).codes()
    app.query_params["digit"] = "7"
    app.run()
    assert f"It is {Classes(DIGITS).called(codes.labels[7])}, and has a code in each space." in html(app)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update({"tab": "Interpolate", "from_image": "4"})
    app.run()
    assert app.selectbox("from_class").value == codes.labels[4]


def test_broken_checkpoint_is_told_and_the_others_still_work(
    app: AppTest, checkpoints: Path, experiment: Experiment
) -> None:
    broken = checkpoints / "broken"
    broken.mkdir()
    for name, content in (("vae", b"nonsense"), ("autoencoder", b"")):
        (broken / f"{name}.safetensors").write_bytes(content)
    (checkpoints / "empty").mkdir()
    app.run()
    assert app.selectbox("experiment").options == [experiment.name, "broken", "empty"]
    for name, sentence in (("broken", "is no safetensors file, or is cut short"), ("empty", "is missing")):
        app.selectbox("experiment").set_value(name).run()
        assert not app.exception
        (error,) = app.error
        assert sentence in error.value
        assert str(checkpoints / name) in error.value
    app.selectbox("experiment").set_value(experiment.name).run()
    assert not app.error
    assert "Decoded at" in html(app)


def test_nonsense_in_a_link_is_left_aside(app: AppTest) -> None:
    nonsense = {"vae_x": "abc", "ae_y": "1e300", "n": "9999", "digit": "-4", "face": "upside down", "codes": "7"}
    for name, value in {**nonsense, "experiment": "mnist-9d"}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert not app.error
    assert app.segmented_control("face").value == "codes"


def test_no_checkpoints_at_all_is_told(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENT_CHECKPOINTS", str(tmp_path / "nowhere"))
    app.run()
    assert not app.exception
    assert "is missing; restore it, or fit it: python -m training fit mnist-2d" in app.error[0].value


def test_without_the_data_set_everything_but_the_original_is_there(
    app: AppTest, checkpoints: Path, experiment: Experiment
) -> None:
    for model in ("vae", "autoencoder"):
        rewrite(
            checkpoint_path(checkpoints / experiment.name, model), lambda a, s: s["experiment"].update(dataset="mnist")
        )
    app.run()
    assert not app.exception
    assert "not on this computer" in " ".join(caption.value for caption in app.caption)
    assert 'data-name="original"' not in html(app)
    assert 'data-name="ringed-vae"' in html(app)


def test_how_many_codes_a_map_shows_is_no_choice_where_there_are_few(app: AppTest) -> None:
    app.run()
    slider = app.select_slider("codes")
    assert slider.label == "Number of test images shown: all 300"
    assert slider.disabled


def test_beta_chooses_the_vae_and_everything_follows(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    app.query_params["tab"] = "Beta"
    app.run()
    assert not app.exception
    assert "This experiment has one VAE, of beta 1" in " ".join(text.value for text in app.markdown)
    folder = checkpoints / experiment.name
    # The same model, but brighter, under the name of another beta: its decodes can be told apart.
    shutil.copy(checkpoint_path(folder, "vae"), other := checkpoint_path(folder, "vae", 0.5))

    def change(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
        settings["experiment"]["beta"] = 0.5
        settings["test"]["elbo"] = -111.0
        last = max(name for name in arrays if name.startswith("weights.decoder") and name.endswith("bias"))
        arrays[last] = arrays[last] + np.float16(2)
        arrays["codes.code"] = arrays["codes.code"][::-1].copy()  # another image has the pick's code

    rewrite(other, change)
    app.run()
    assert app.select_slider("beta").value == 1.0
    # A page that has not heard of the last beta sends its pick with the next one: nobody picked that.
    ringed, pick = app.session_state["digit"], app.number_input("vae_x")
    pick.set_value(float(pick.value or 0) + 1)
    app.select_slider("beta").set_value(0.5).run()
    assert not app.exception
    assert app.session_state["digit"] == ringed
    assert any("ELBO **−111.00**" in text.value for text in app.markdown)
    pick = app.number_input("vae_x")
    pick.set_value(float(pick.value or 0) + 1).run()
    assert app.session_state["digit"] != ringed  # but of the beta that is shown a pick can be typed
    # A link opens it, too.
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update({"beta": "0.5", "vae_x": "0.5", "vae_y": "-0.25"})
    app.run()
    expected = Checkpoint(other).load_network().decode(torch.tensor([[0.5, -0.25]])).sigmoid()[0].numpy()
    np.testing.assert_allclose(shown(app, "pick-vae"), expected, atol=0.003)
    assert np.abs(expected - decode(checkpoints, experiment, "vae", (0.5, -0.25))).max() > 0.1
    # The pick of a link is of its beta: where another is chosen, in whatever tool, the address follows.
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    picks = {"vae_x": "0.5", "vae_y": "-0.25", "ae_x": "1.5", "ae_y": "2.5"}
    app.query_params.update({"tab": "Interpolate", "digit": "7", **picks})
    app.run()
    app.select_slider("beta").set_value(0.5).run()
    assert not app.exception
    code = Checkpoint(other).codes().code[7]
    assert [app.session_state[name] for name in ("vae_x", "vae_y")] == pytest.approx(code, abs=1e-3)
    assert [float(app.query_params[name]) for name in ("vae_x", "vae_y")] == pytest.approx(code, abs=1e-3)
    assert [app.query_params[name] for name in ("ae_x", "ae_y")] == ["1.5", "2.5"]


def test_a_folder_whose_name_is_not_utf8_is_told_and_the_rest_goes_on(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkdir(os.fsencode(checkpoints) + b"/caf\xe9")  # noqa: PTH102 - a path of bytes
    assert experiment_names(checkpoints) == ["digits-2d"]
    assert misnamed(checkpoints) == [r"'caf\udce9'"]
    done = run_command(app, "list", "--checkpoints", checkpoints)
    assert r"'caf\udce9': left out, its name is not UTF-8; rename the folder" in done.stdout
    assert "vae: elbo" in done.stdout
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(checkpoints))
    page = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not page.exception
    assert [warning.value for warning in page.warning] == [
        r"A folder of experiments is left out: its name, 'caf\\udce9', is not UTF-8. Rename it."
    ]
    assert page.selectbox(key="experiment").options == ["digits-2d"]


@pytest.mark.parametrize(("experiment", "is_grey"), [("mnist-14px-8d", False), ("mnist-2d", True)])
def test_the_texts_are_true_of_black_and_white_images_and_of_more_dimensions_too(
    experiment: str, is_grey: bool, shipped: AppTest
) -> None:
    shipped.query_params.update({"experiment": experiment, "tab": "Posterior"})
    shipped.run()
    assert not shipped.exception
    assert any("the blue areas" in text.value for text in shipped.markdown) == is_grey
    for tool in ("Reconstruct", "Draw", "Training curves"):
        shipped.session_state["tab"] = tool
        shipped.run()
        assert not shipped.exception
        texts = [each.value for each in shipped.caption] + [each.help for each in shipped.metric]
        assert any("grey" in text for text in texts) == is_grey, tool


def test_another_plane_keeps_the_ringed_image_and_picks_it_there(shipped: AppTest) -> None:
    shipped.query_params.update({"experiment": "mnist-32d", "tab": "Interpolate", "digit": "1138", "to_image": "9"})
    shipped.run()
    shipped.selectbox("plane").set_value("two dimensions").run()
    shipped.number_input("upwards").set_value(5).run()
    assert not shipped.exception
    assert shipped.query_params["digit"] == "1138"
    for model_name, short in (("autoencoder", "ae"), ("vae", "vae")):
        code = Checkpoint(checkpoint_path(ROOT / "checkpoints" / "mnist-32d", model_name)).codes().code[1138]
        found = [shipped.session_state[f"{short}_{axis}"] for axis in "xy"]
        assert found == pytest.approx([code[0], code[4]], abs=1e-3)
    assert shipped.number_input("to_image").value == 9


def test_a_plane_never_has_the_same_dimension_twice(shipped: AppTest) -> None:
    shipped.query_params.update({"experiment": "mnist-32d", "plane": "two dimensions", "rightwards": "32"})
    shipped.query_params["upwards"] = "32"
    shipped.run()
    for moved, number, expected in (("", 0, (32, 1)), ("rightwards", 1, (1, 2)), ("upwards", 1, (2, 1))):
        if moved:
            shipped.number_input(moved).set_value(number).run()
        assert not shipped.exception
        chosen = tuple(shipped.number_input(name).value for name in ("rightwards", "upwards"))
        assert chosen == expected
        code = Checkpoint(checkpoint_path(ROOT / "checkpoints" / "mnist-32d", "vae")).codes().code[0]
        found = [shipped.session_state[f"vae_{axis}"] for axis in "xy"]
        assert found == pytest.approx([code[each - 1] for each in expected], abs=1e-3), moved
