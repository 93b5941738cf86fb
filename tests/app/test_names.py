"""An experiment whose classes are no digits: every tool says their names, and speaks of digits nowhere."""

import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import originals
from explorer.models import open_models
from tests.app.conftest import html, shown
from tests.conftest import OWN_NAMES, ROOT, TABS, rewrite
from training.checkpoint import Checkpoint, checkpoint_path
from training.datasets import load
from training.own_dataset import dataset_path, read_dataset, write_dataset

LEFT_OUT = (
    "id",
    "form_id",
    "element_id",
    "user_key",
    "query_param_key",
    "spec",
    "json",
    "mixed",
    "js_content",
    "css_content",
)


@pytest.fixture
def app(own: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("LATENT_CHECKPOINTS", str(own))
    monkeypatch.setenv("LATENT_DATA_DIR", str(own / "data"))
    return opened(experiment="own-2d")


def opened(**choices: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update(choices)
    return app


def sent(node: Any) -> Iterator[Any]:
    """What the page sent to the browser, by element; not the code of this project, which the tour shows."""
    for child in node.children.values():
        if hasattr(child, "children"):
            yield from [child.proto] if child.proto is not None else []
            yield from sent(child)
        elif child.type != "code":
            yield child.proto


def words(app: AppTest) -> str:
    """All texts of the page: what is written, labels, help, options; not keys."""
    lines = [line for proto in sent(app._tree) for line in str(proto).splitlines()]
    kept = [line for line in lines if not re.match(rf"\s*({'|'.join(LEFT_OUT)}):", line)]
    return re.sub(r"base64,[^\"\\]+", "", "\n".join([*kept, html(app)])).replace("Digit", "digit")


def legend(app: AppTest) -> dict[str, Any]:
    parts = [json.loads(each.proto.json or "{}") for each in app.main.get("bidi_component")]
    return next(part for part in parts if "symbols" in part)


def test_every_tool_says_the_names_and_speaks_of_digits_nowhere(app: AppTest) -> None:
    app.run()
    for tool in (tool for tool in TABS if tool != "Train"):  # which names all data sets
        app.segmented_control("tab").set_value(tool).run()
        assert not app.exception, tool
        assert not app.error, tool
        assert not re.findall(".{0,40}(?:digit|MNIST)", words(app)), tool
        assert "<img src=x>" not in html(app)
    assert tuple(legend(app)["names"]) == OWN_NAMES
    assert legend(app)["symbols"] == ["circle"] * 10 + ["square"] * 3


def test_that_classes_share_colours_is_told_where_the_background_is_coloured(app: AppTest) -> None:
    app.run()
    assert "share a colour" in app.toggle("reading").help
    assert "share a colour" not in " ".join(text.value for text in app.markdown)
    app.toggle("reading").set_value(True).run()
    assert "share a colour" in " ".join(text.value for text in app.markdown)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 9])
def test_the_tour_is_in_their_words(step: int, app: AppTest) -> None:
    app.query_params.update({"tab": "Learn", "step": str(step)})
    app.run()
    assert not app.exception
    assert not re.findall(".{0,40}digit", words(app))
    if step == 9:
        assert any(r"From class \<img src=x\> to class F" in text.value for text in app.markdown)


def test_a_class_is_chosen_by_its_name(app: AppTest) -> None:
    app.query_params["tab"] = "Generate"
    app.run()
    assert app.selectbox("class").options == ["any", *OWN_NAMES]
    app.selectbox("class").set_value("3").run()
    assert app.query_params["class"] in ("3", ["3"])
    assert any(r"those read as class \*Bag\*." in text.value for text in app.markdown)
    app.segmented_control("tab").set_value("Interpolate").run()
    assert app.selectbox("from_class").label == "Class"
    assert app.selectbox("from_class").options == list(OWN_NAMES[:-1])  # of the last there is no image
    assert app.segmented_control("from").options[0] == "test image"
    app.segmented_control("tab").set_value("Compare").run()
    (table,) = [text.value for text in app.markdown if text.value.startswith("**Overlap, class by class**")]
    assert r"| \*Bag\* | a very long… | \[x\](y) |" in table
    assert table.splitlines()[-1].endswith("% | – |")


def test_what_is_saved_of_a_test_image_lands_on_its_code(app: AppTest, own: Path) -> None:
    app.query_params.update({"tab": "Draw"})
    app.run()
    data, codes = load("own", own / "data"), Checkpoint(checkpoint_path(own / "own-2d", "vae")).codes()
    image = data.test.images[7].numpy()
    for size in (1, 8):  # as it is, and as the page saves it
        buffer = io.BytesIO()
        Image.fromarray(image.repeat(size, 0).repeat(size, 1)).save(buffer, "png")
        (uploader,) = app.get("file_uploader")
        uploader.set_value(("saved.png", buffer.getvalue(), "image/png"))  # type: ignore[union-attr]
        app.run()
        np.testing.assert_array_equal((shown(app, "drawn") * 255).round(), image)
    (marks,) = [
        part["marks"]
        for each in app.main.get("bidi_component")
        if (part := json.loads(each.proto.json or "{}")).get("chart") == "map_vae" and part.get("marks")
    ]
    (cross,) = [mark["points"][0] for mark in marks if mark["kind"] == "pick"]
    np.testing.assert_allclose(cross, codes.code[7], atol=1e-3)
    assert "As 28 x 28 pixels" in html(app)


@pytest.mark.parametrize("is_light", [False, True])
@pytest.mark.parametrize("all_are_light", [False, True])
def test_a_picture_with_a_light_border_is_inverted_where_the_data_set_has_dark_ones(
    is_light: bool, all_are_light: bool, app: AppTest, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = open_models(own / "own-2d")
    assert not originals.have_light_borders(pair)
    if all_are_light:
        monkeypatch.setattr(originals, "have_light_borders", lambda pair: True)
    app.query_params["tab"] = "Draw"
    app.run()
    image = load("own", own / "data").test.images[7].numpy()
    sent = 255 - image if is_light else image
    buffer = io.BytesIO()
    Image.fromarray(sent).save(buffer, "png")
    (uploader,) = app.get("file_uploader")
    uploader.set_value(("picture.png", buffer.getvalue(), "image/png"))  # type: ignore[union-attr]
    app.run()
    np.testing.assert_array_equal((shown(app, "drawn") * 255).round(), sent if all_are_light else image)


@pytest.fixture
def copied(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may spoil."""
    folder = shutil.copytree(own, tmp_path / "own")
    monkeypatch.setenv("LATENT_CHECKPOINTS", str(folder))
    monkeypatch.setenv("LATENT_DATA_DIR", str(folder / "data"))
    return folder


def told(app: AppTest) -> str:
    return " ".join(each.value for kind in (app.caption, app.info) for each in kind)


@pytest.mark.parametrize("tool", ["Explore", "Draw", "Reconstruct", "Posterior"])
def test_other_images_than_those_of_the_fit_are_told(tool: str, copied: Path) -> None:
    path = dataset_path(copied / "data", "own")
    dataset = read_dataset(path)
    write_dataset(path, replace(dataset, images=255 - dataset.images))
    app = opened(experiment="own-2d", tab=tool).run()
    assert not app.exception
    assert "On this computer are other images of own than these models were fitted to." in told(app)


def test_no_images_are_told(copied: Path) -> None:
    dataset_path(copied / "data", "own").unlink()
    app = opened(experiment="own-2d", tab="Reconstruct", face="images").run()
    assert not app.exception
    assert "Dots: the test images are not on this computer." in told(app)
    assert "On this computer are other images" not in told(app)
    assert told(app).count("`python -m training add own PATH` brings the data set.") == 2


@pytest.mark.parametrize("tool", ["Explore", "Draw", "Reconstruct", "Posterior"])
def test_a_damaged_file_of_images_is_told(tool: str, copied: Path) -> None:
    path = dataset_path(copied / "data", "own")
    path.write_bytes(path.read_bytes()[:-1])
    app = opened(experiment="own-2d", tab=tool).run()
    assert not app.exception
    assert "is no safetensors file, or is cut short" in told(app)
    assert "restore it, or add it again: python -m training add own PATH. Everything else works." in told(app)
    assert "not on this computer" not in told(app)


def test_where_only_the_test_images_came_along_the_others_are_told_to_be_missing(copied: Path) -> None:
    def change(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
        arrays |= {name: array[-120:] for name, array in arrays.items()}

    rewrite(dataset_path(copied / "data", "own"), change)
    app = opened(experiment="own-2d", tab="Reconstruct").run()
    assert 'data-name="original-' in html(app)
    for name in ("training images", "validation images"):
        app.segmented_control("images").set_value(name).run()
        assert not app.exception
        sentence = f"The {name} are not on this computer: `python -m training add own PATH` brings them."
        assert sentence in told(app)
    app = opened(experiment="own-2d", tab="Learn").run()
    assert 'data-name="original-' in html(app)
