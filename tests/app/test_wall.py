"""The wall without a browser: what is sent from Draw, what the tool makes of it, and what the teacher may do."""

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import catalog, handover, originals, selection
from explorer.models import Model, ModelPair
from explorer.selection import Drawing
from explorer.views import draw
from explorer.views import wall as view
from explorer.wall import WALL_VARIABLE, SqliteWall
from tests.conftest import ROOT
from training.checkpoint import Checkpoint, checkpoint_path
from training.datasets import Data, load
from training.experiments import Experiment
from training.folders import CHECKPOINTS_VARIABLE

KEY = "a key for the teacher"
MODELS = ("autoencoder", "vae")


@pytest.fixture(autouse=True)
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteWall:
    """An empty one."""
    monkeypatch.setenv(WALL_VARIABLE, str(tmp_path / "wall.sqlite3"))
    monkeypatch.setenv(view.TEACHER_VARIABLE, KEY)
    return SqliteWall(tmp_path / "wall.sqlite3")


@pytest.fixture
def teacher(app: AppTest) -> AppTest:
    app.query_params.update({"tab": "Wall", "teacher": KEY})
    return app


@pytest.fixture
def drawings(digits: Data) -> np.ndarray:
    return digits.test.images[:6].numpy()


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def hung(app: AppTest) -> dict[str, Any] | None:
    """What the tool hands to the browser; None: nothing hangs."""
    found = [json.loads(element.proto.json or "{}") for element in app.main.get("bidi_component")]
    return next((each for each in found if "drawings" in each), None)


def pictures(address: str, size: int, count: int) -> np.ndarray:
    """The first pictures of many in one, pixels in [0, 1]."""
    all_ = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))) / 255
    tiles = all_.reshape(all_.shape[0] // size, size, -1, size).swapaxes(1, 2).reshape(-1, size, size)
    return tiles[:count]


def sentences(app: AppTest) -> str:
    return " ".join(each.value for kind in (app.markdown, app.caption, app.info, app.error) for each in kind)


def labels(app: AppTest) -> set[str]:
    return {each.label for each in (*app.button, *app.toggle)}


def test_an_empty_wall_explains_itself(teacher: AppTest) -> None:
    assert hung(run(teacher)) is None
    assert "The wall is empty. Open *Draw*, draw a digit, and send it" in sentences(teacher)


def test_a_drawing_is_sent_once(app: AppTest, wall: SqliteWall, drawings: np.ndarray) -> None:
    app.query_params["tab"] = "Draw"
    assert run(app).button("send_drawing").disabled
    app.session_state["drawing"] = Drawing(image=drawings[0])
    app.text_input("nickname_input").set_value("  <b>Kim</b>\u202e" + "x" * 10_000)
    run(app)
    app.button("send_drawing").click()
    run(app)
    (sent,) = wall.read().drawings
    np.testing.assert_array_equal(sent.image, drawings[0])
    assert (sent.nickname, sent.author) == ("<b>Kim</b>xxxxxxx", app.session_state["author"])
    assert (app.button("send_drawing").label, app.button("send_drawing").disabled) == ("On the wall", True)
    # Once the wall is cleared it can be sent again.
    wall.clear()
    assert (run(app).button("send_drawing").label, app.button("send_drawing").disabled) == ("To the wall", False)
    app.button("send_drawing").click()
    run(app)
    app.session_state["drawing"].image = drawings[1]
    run(app).button("send_drawing").click()
    run(app)
    assert len(wall.read().drawings) == 2


def test_a_second_click_that_comes_before_the_button_is_disabled_sends_nothing(
    wall: SqliteWall, drawings: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_pad = Drawing(image=drawings[0])
    monkeypatch.setattr(selection, "drawing", lambda: on_pad)
    monkeypatch.setattr(selection, "author", lambda: "one")
    for _ in range(2):
        draw._send()
    assert len(wall.read().drawings) == 1


def test_too_many_are_told_where_one_sends(app: AppTest, wall: SqliteWall, drawings: np.ndarray) -> None:
    app.query_params["tab"] = "Draw"
    app.session_state["drawing"] = Drawing(image=drawings[0])
    app.session_state["author"] = "one"
    run(app)
    for _ in range(10):
        wall.send(drawings[1], "one")
    app.button("send_drawing").click()
    run(app)
    assert [each.value for each in app.error] == [
        "You have sent 10 drawings within a minute; wait a moment, and send it then."
    ]
    assert not app.button("send_drawing").disabled


def test_each_drawing_lies_at_its_code_with_what_comes_back(
    app: AppTest, fitted: Path, experiment: Experiment, wall: SqliteWall, drawings: np.ndarray
) -> None:
    for number, drawn in enumerate(drawings):
        wall.send(drawn, "one" if number % 2 else "another", f"N{number}")
    wall.set_hidden([2], True)
    app.session_state["author"] = "one"
    app.query_params["tab"] = "Wall"
    there = hung(run(app))
    assert there is not None
    kept = [0, 2, 3, 4, 5]
    assert there["numbers"] == [1, 3, 4, 5, 6]
    assert there["own"] == [False, False, True, False, True]
    assert there["nicknames"] == [""] * 5
    np.testing.assert_array_equal(pictures(there["drawings"], 28, 5) * 255, drawings[kept])
    grey = torch.as_tensor(drawings[kept]).float() / 255
    for name, encoded in zip(MODELS, there["models"], strict=True):
        network = Checkpoint(checkpoint_path(fitted / experiment.name, name)).load_network()
        with torch.inference_mode():
            code = network.encode(grey)
            back = network.decode(code).sigmoid().numpy()
        points = np.frombuffer(base64.b64decode(encoded["points"]), "<f4").reshape(-1, 2)
        np.testing.assert_allclose(points, code.numpy(), atol=1e-4)
        np.testing.assert_allclose(pictures(encoded["decodes"], encoded["size"], 5), back, atol=0.003)
    assert "5 of at most 500 drawings" in sentences(app)
    assert "Yours: 2, framed in red." in sentences(app)


def test_nothing_is_computed_anew_until_the_wall_changes(
    teacher: AppTest, wall: SqliteWall, drawings: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall.send(drawings[0], "one")
    encode, encoded = originals.encoded, []

    def count(pair: ModelPair, model: Model, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        encoded.append(len(pictures))
        return encode(pair, model, pictures)

    monkeypatch.setattr(originals, "encoded", count)
    for _ in range(3):
        run(teacher)
    assert encoded == [1, 1]  # by either model
    wall.send(drawings[1], "one")
    run(teacher)
    assert encoded == [1, 1, 2, 2]


@pytest.mark.parametrize("choices", [{"tab": "Wall"}, {"tab": "Wall", "teacher": "a guess"}])
def test_students_have_no_controls(
    choices: dict[str, str], app: AppTest, wall: SqliteWall, drawings: np.ndarray
) -> None:
    wall.send(drawings[0], "one")
    app.session_state[view.CHOSEN] = 1
    app.query_params.update(choices)
    run(app)
    assert hung(app) is not None
    assert not {"Hide drawing 1", "Remove them", "Show nicknames", "Fit to it"} & labels(app)
    assert "The teacher can hide drawings" in sentences(app)
    assert "teacher" not in app.query_params


def test_the_browser_keeps_the_key_from_the_first_run_on(teacher: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[dict[str, Any]] = []
    monkeypatch.setattr(handover, "keeper", lambda held, *, is_settled: kept.append(held))
    run(teacher)
    assert kept[0]["teacher"] == KEY


def test_the_teacher_hides_names_and_clears(teacher: AppTest, wall: SqliteWall, drawings: np.ndarray) -> None:
    for number in range(3):
        wall.send(drawings[number], "one", "Kim")
    run(teacher)
    assert "teacher" not in teacher.query_params
    assert teacher.button("hide_drawing").disabled  # and there: nothing else comes into its place under the mouse
    teacher.session_state[view.CHOSEN] = 2
    next(each for each in run(teacher).button if each.label == "Hide drawing 2").click()
    there = hung(run(teacher))
    assert there is not None
    assert there["numbers"] == [1, 3]
    assert there["nicknames"] == ["", ""]
    teacher.toggle("wall_names").set_value(True)
    there = hung(run(teacher))
    assert there is not None
    assert there["nicknames"] == ["Kim", "Kim"]
    teacher.button("show_hidden").click()
    there = hung(run(teacher))
    assert there is not None
    assert there["numbers"] == [1, 2, 3]
    teacher.button("clear_wall").click()
    assert hung(run(teacher)) is None
    assert wall.read().drawings == ()


def test_a_wall_that_is_away_is_told_and_all_else_goes_on(
    teacher: AppTest, drawings: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WALL_VARIABLE, "redis://localhost:1")
    run(teacher)
    (error,) = teacher.error
    assert "Redis at localhost:1/0, where the wall is, does not answer" in error.value
    assert len(teacher.get("plotly_chart")) == 2
    teacher.session_state["drawing"] = Drawing(image=drawings[0])
    teacher.segmented_control("tab").set_value("Draw")
    run(teacher).button("send_drawing").click()
    (error,) = run(teacher).error
    assert "does not answer" in error.value
    assert not teacher.button("send_drawing").disabled
    teacher.segmented_control("tab").set_value("Explore")
    assert not run(teacher).error


def test_the_wall_is_a_data_set(teacher: AppTest, wall: SqliteWall, digits: Data, tmp_path: Path) -> None:
    kept = digits.train.images[:200].numpy()
    for number, drawn in enumerate(kept[:199]):
        wall.send(drawn, f"of {number}")
    (button,) = (each for each in run(teacher).button if each.label == "Fit to it")
    button.click()
    (error,) = run(teacher).error
    assert "The wall cannot be made a data set" in error.value
    assert "199 images" in error.value
    wall.send(kept[199], "one")
    assert not run(teacher).error  # it was said of fewer
    (button,) = (each for each in run(teacher).button if each.label == "Fit to it")
    button.click()
    run(teacher)
    assert (teacher.segmented_control("tab").value, teacher.selectbox("data").value) == ("Train", "wall")
    assert teacher.query_params["data"] == "wall"  # a reload opens the same form
    data = load("wall", tmp_path / "no-data")
    parts = np.concatenate([part.images.numpy() for part in (data.train, data.validation, data.test)])
    assert sorted(each.tobytes() for each in parts) == sorted(each.tobytes() for each in kept)


def test_where_train_is_left_out_nothing_is_fitted_to_the_wall(teacher: AppTest, wall: SqliteWall) -> None:
    teacher.query_params["hide"] = "train"
    (button,) = (each for each in run(teacher).button if each.label == "Fit to it")
    assert button.disabled
    assert button.help == "This lesson leaves Train out."


def test_the_files_hold_what_is_shown(
    wall: SqliteWall, drawings: np.ndarray, fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for drawn in drawings:
        wall.send(drawn, "one", "Kim")
    wall.set_hidden([1], True)
    with np.load(io.BytesIO(view._npz())) as archive:
        np.testing.assert_array_equal(archive["images"], drawings[1:])
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(fitted))
    pair = catalog.load("digits-2d")
    rows = list(csv.DictReader(io.StringIO(view._csv(pair, catalog.map_pair(pair)).decode())))
    codes = pair.vae.encode_with_std(torch.as_tensor(drawings[1:]).float() / 255)[0]
    assert [[float(row["vae_1"]), float(row["vae_2"])] for row in rows] == [
        [pytest.approx(value, rel=1e-6) for value in code] for code in codes.tolist()
    ]
    assert [[int(row[f"pixel_{at}"]) for at in range(784)] for row in rows] == drawings[1:].reshape(-1, 784).tolist()
    assert {row["nickname"] for row in rows} == {""}


def test_models_of_smaller_images_and_more_dimensions_have_the_drawings_too(
    app: AppTest, wall: SqliteWall, drawings: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(ROOT / "checkpoints"))
    wall.send(drawings[0], "one")
    app.query_params.update({"tab": "Wall", "experiment": "mnist-14px-8d"})
    there = hung(run(app))
    assert there is not None
    assert [(each["size"], len(base64.b64decode(each["points"]))) for each in there["models"]] == [(14, 8)] * 2
