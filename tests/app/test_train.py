"""Train without a browser: the form, what is dropped on it, and what it refuses."""

import io
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.views.train import NETWORKS, add_images
from tests.conftest import ROOT
from training import workers
from training.datasets import Data, load
from training.experiments import Experiment
from training.folders import DATA_VARIABLE


@pytest.fixture
def form(app: AppTest) -> AppTest:
    app.query_params["tab"] = "Train"
    app.run()
    assert not app.exception
    return app


def test_the_form_prepares_the_process_of_a_fit(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_prepared", None)
    app.query_params["tab"] = "Train"
    app.run()
    prepared = workers._prepared
    assert prepared is not None
    app.run()
    assert workers._prepared is prepared


def test_fits_begun_from_forms_that_are_open_have_names_of_their_own(
    form: AppTest, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def start(experiment: Experiment, data_dir: Path, folder: Path) -> None:
        begun.append(experiment.name)
        (folder / experiment.name).mkdir()

    monkeypatch.setattr(workers, "start", start)
    (checkpoints / "mnist-2d-2").mkdir()  # of another session, since the form was drawn
    form.button("start_fit").click().run()
    form.query_params.pop("fit")
    form.run()
    form.button("start_fit").click().run()
    assert begun == ["mnist-2d-3", "mnist-2d-4"]


def test_what_another_session_has_deleted_is_deleted(app: AppTest, checkpoints: Path) -> None:
    (checkpoints / "mine").mkdir()
    app.query_params["tab"] = "Train"
    app.run()
    app.selectbox[-1].set_value("mine").run()
    (checkpoints / "mine").rmdir()
    next(each for each in app.button if each.label == "Delete it").click().run()
    assert not app.exception
    assert not app.error


def test_an_experiment_that_another_session_has_deleted_is_left_and_told(app: AppTest, checkpoints: Path) -> None:
    shutil.copytree(checkpoints / "digits-2d", checkpoints / "mine")
    app.query_params.update({"experiment": "mine", "vae_x": "0.25", "digit": "7"})
    app.run()
    assert app.selectbox("experiment").value == "mine"
    assert not app.warning
    shutil.rmtree(checkpoints / "mine")
    app.run()
    assert not app.exception
    first = app.selectbox("experiment").value
    (told,) = app.warning
    assert told.value == f"There is no experiment mine here. This is {first}."
    # The pick was one of another latent space.
    assert app.number_input("vae_x").value != 0.25
    assert app.session_state["digit"] == 0
    app.run()
    assert not app.warning


def test_a_fit_that_is_not_there_is_told(app: AppTest) -> None:
    app.query_params.update({"tab": "Train", "fit": "gone-2d"})
    app.run()
    assert [each.value for each in app.info] == ["There is no fit gone-2d here."]
    assert any(each.label == "Start" for each in app.button)


def test_a_fit_that_is_looked_at_has_picks_of_its_own(app: AppTest, checkpoints: Path) -> None:
    shutil.copytree(checkpoints / "digits-2d", checkpoints / "mine")
    app.query_params.update({"experiment": "digits-2d", "vae_x": "0.25"})
    app.run()
    app.segmented_control("tab").set_value("Train").run()
    app.session_state["fit"] = "mine"
    app.run()
    next(each for each in app.button if each.label == "Look at it").click().run()
    assert not app.exception
    assert (app.selectbox("experiment").value, app.segmented_control("tab").value) == ("mine", "Explore")
    assert app.number_input("vae_x").value != 0.25


def drop(app: AppTest, name: str, content: bytes) -> None:
    (uploader,) = app.get("file_uploader")
    uploader.set_value((name, content, "application/zip"))  # type: ignore[union-attr]
    app.run()
    assert not app.exception


def test_dropped_images_are_a_data_set(form: AppTest, digits: Data, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, images=digits.train.images.numpy(), labels=digits.train.labels.numpy())
    drop(form, "of my own.npz", buffer.getvalue())
    assert form.selectbox("data").value == "of-my-own"
    assert any("1,197 images" in each.value for each in form.caption)
    (sheet,) = form.get("image")
    assert sheet.proto.imgs[0].url
    drop(form, "broken.zip", b"nonsense")
    assert not form.get("image")
    assert not any("Added as" in each.value for each in form.caption)  # that was another file
    data = load("of-my-own", tmp_path / "no-data")
    assert len(data.train) + len(data.validation) + len(data.test) == 1197


def test_files_of_one_name_dropped_at_once_are_data_sets_of_their_own(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    counts = [300, 400, 500]

    def dropped(count: int) -> str:
        buffer = io.BytesIO()
        np.savez(buffer, images=digits.train.images[:count].numpy(), labels=digits.train.labels[:count].numpy())
        moment.wait()
        return add_images("mine.npz", buffer.getvalue())

    moment = threading.Barrier(len(counts))
    with ThreadPoolExecutor(len(counts)) as sessions:
        names = list(sessions.map(dropped, counts))
    assert sorted(names) == ["mine", "mine-2", "mine-3"]
    for name, count in zip(names, counts, strict=True):
        data = load(name, tmp_path)
        assert len(data.train) + len(data.validation) + len(data.test) == count


@pytest.mark.parametrize(
    ("images", "epochs"), [(55_000, 20), (27_500, 40), (550_000, 2), (10**9, 1), (1_197, 200), (1, 200)]
)
def test_as_many_updates_on_fewer_images(images: int, epochs: int) -> None:
    assert NETWORKS["small"].epochs_for(images) == epochs


def test_the_form_says_how_many_epochs_suit_the_images(form: AppTest) -> None:
    for dataset, epochs in (("mnist", "20"), ("digits", "200")):
        form.selectbox("data").set_value(dataset).run()
        assert form.number_input("epochs").proto.placeholder == epochs


def test_a_file_that_is_none_is_told_and_nothing_is_written(form: AppTest, tmp_path: Path) -> None:
    drop(form, "broken.zip", b"nonsense")
    (error,) = form.error
    assert error.value.startswith("These images cannot be taken: broken.zip")
    assert list((tmp_path / "no-data").glob("*")) == []


def test_a_data_set_without_training_images_is_told_before_the_fit(form: AppTest, tmp_path: Path) -> None:
    (tmp_path / "no-data").mkdir(exist_ok=True)
    shutil.copy(ROOT / "data" / "fashion-mnist.safetensors", tmp_path / "no-data")
    form.run()
    form.selectbox("data").set_value("fashion-mnist").run()
    (error,) = form.error
    assert error.value.startswith(
        "Of these images only the test images came along. `python -m training add fashion-mnist"
    )
    assert not [each for each in form.button if each.label == "Start"]


def test_a_fit_that_waits_is_told_for_what(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(name: str, place: int, live: Any) -> workers.FitInFolder:
        return workers.FitInFolder(
            folder=tmp_path / name, stem="vae", experiment=None, live=live, lives=True, place=place, message=""
        )

    progress = SimpleNamespace(total=100, update=50, updates_per_epoch=10, beta=1.0, learning_rate=0.01)
    paused = SimpleNamespace(state="paused", lives=True, progress=progress, seconds_left=None, epoch=5.0)
    fits = [fit("first", 0, paused), fit("second", 1, None)]
    monkeypatch.setattr(workers, "running", lambda checkpoints: fits)
    app.query_params.update({"tab": "Train", "fit": "second"})
    app.run()
    assert not app.exception
    assert any("A paused one keeps its turn." in each.value for each in app.caption)
    told = "**second** has no codes yet. Until then the maps show digits-2d."
    assert told in [each.value for each in app.markdown]
    assert [app.button(key).disabled for key in ("pause_fit", "go_on_with_fit", "stop_fit")] == [True] * 3
    app.button("watch_first").click().run()
    assert not app.exception
    assert "VAE: epoch 5.0 of 10, paused" in [each.proto.text for each in app.get("progress")]
    assert "Others wait until it goes on and ends." in [each.value for each in app.caption]
    assert not any("keeps its turn" in each.value for each in app.caption)


def test_a_fit_that_was_discarded_makes_room_before_its_processes_have_ended(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = workers.FitInFolder(
        folder=tmp_path / "mine", stem="vae", experiment=None, live=None, lives=True, place=0, message=""
    )
    discarded: list[str] = []
    monkeypatch.setattr(workers, "running", lambda checkpoints: [fit])
    monkeypatch.setattr(workers, "discard", lambda folder, stem: discarded.append(f"{folder.name} {stem}"))
    app.session_state["own_fit"] = "mine"
    app.query_params.update({"tab": "Train"})
    app.run()
    assert app.button("start_fit").disabled
    app.button("watch_mine").click().run()
    next(each for each in app.button if each.label == "Discard it").click().run()
    assert not app.exception
    assert discarded == ["mine vae"]
    assert not app.button("start_fit").disabled
    assert not any("is under way" in each.value for each in app.info)


@pytest.mark.parametrize(("widths", "told"), [("70000", "1 to 65536"), ("1-" * 40 + "1", "at most 32")])
def test_layers_that_cannot_be_are_told(widths: str, told: str, form: AppTest) -> None:
    form.segmented_control("network").set_value("own").run()
    form.text_input("widths").set_value(widths).run()
    assert any(told in each.value for each in form.error)
    assert not [each for each in form.button if each.label == "Start"]
