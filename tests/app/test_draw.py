"""The Draw tab through Streamlit's AppTest: what it says and computes, from a picture that is given to it."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from explorer.classes import DIGITS, Classes
from explorer.components.pad import Drawn
from explorer.drawing import DrawingError, mnist_form, rasterize
from explorer.models import open_models
from explorer.originals import preprocessed
from explorer.views.draw import _read_file, take_report
from tests.app.conftest import html, shown
from tests.conftest import ROOT, rewrite
from training.checkpoint import Checkpoint, checkpoint_path
from training.classifier import classifier_path, classify, load_classifier
from training.datasets import Data, Split
from training.experiments import Experiment
from training.objective import evaluate_per_image

MODELS = ("autoencoder", "vae")


@pytest.fixture
def app(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("LATENT_CHECKPOINTS", str(checkpoints))
    monkeypatch.setenv("LATENT_DATA_DIR", str(tmp_path / "no-data"))
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params["tab"] = "Draw"
    return app


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def seven() -> bytes:
    """Black on white."""
    return png(((1 - rasterize([[60, 60, 200, 60, 120, 230]])) * 255).astype(np.uint8))


def upload(app: AppTest, content: bytes, name: str = "seven.png") -> None:
    (uploader,) = app.get("file_uploader")
    uploader.set_value((name, content, "image/png"))  # type: ignore[union-attr]
    app.run()
    assert not app.exception


def test_nothing_drawn_is_said(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert html(app).count("Nothing drawn") == 3
    assert "data-name" not in html(app)
    assert "sure" not in html(app)


def test_a_picture_is_brought_into_mnists_form_and_through_both_models(
    app: AppTest, checkpoints: Path, experiment: Experiment, digits: Data
) -> None:
    app.run()
    upload(app, seven())
    form = mnist_form(rasterize([[60, 60, 200, 60, 120, 230]]))
    assert form is not None
    drawn = torch.as_tensor((shown(app, "drawn") * 255).round().astype(np.uint8))
    assert np.corrcoef(drawn.flatten().numpy(), form.flatten())[0, 1] > 0.98
    for name in MODELS:
        checkpoint = Checkpoint(checkpoint_path(checkpoints / experiment.name, name))
        model = checkpoint.load_network()
        with torch.inference_mode():
            code = model.encode(drawn[None] / 255)
            back = model.decode(code).sigmoid()[0].numpy()
        np.testing.assert_allclose(shown(app, f"reconstruction-{name}"), back, atol=0.003)
        terms = evaluate_per_image(model, Split(drawn[None], torch.zeros(1, dtype=torch.uint8)), samples=2000)
        told = re.findall(r"log p\(x\|z\) = (−[\d.]+) nats", html(app))[MODELS.index(name)]
        assert float(told.replace("−", "-")) == pytest.approx(float(terms.reconstruction[0]), abs=0.2)
        codes = checkpoint.codes()
        nearest = np.linalg.norm(codes.code - code.numpy(), axis=1).argsort()[:3]
        for rank, image in enumerate(nearest, 1):
            original = digits.test.images[image].numpy() / 255
            np.testing.assert_allclose(shown(app, f"near-{name}-{rank}"), original, atol=0.003)
            assert f"{codes.labels[image]} (image {image})" in html(app)
    assert terms.kl is not None
    assert terms.elbo is not None
    kl, elbo = re.findall(r"KL ([\d.]+), so ELBO (−[\d.]+) ", html(app))[0]
    assert float(kl) == pytest.approx(float(terms.kl[0]), abs=0.05)
    assert float(elbo.replace("−", "-")) == pytest.approx(float(terms.elbo[0]), abs=0.2)
    probabilities = classify(load_classifier(checkpoints, "digits")[0], drawn[None] / 255)[0]
    called = Classes(DIGITS).called(int(probabilities.argmax()))
    assert f"<b>{called}</b>, {probabilities.max() * 100:.0f}&nbsp;% sure" in html(app)


def three_digits() -> np.ndarray:
    """Black on white: a 1, a 0 and a 7."""
    zero = [90, 60, 190, 60, 190, 230, 90, 230, 90, 60]
    digits = [rasterize([path]) for path in ([140, 50, 140, 230], zero, [60, 60, 200, 60, 120, 230])]
    return ((1 - np.concatenate(digits, axis=1)) * 255).astype(np.uint8)


def offered(app: AppTest) -> list[Any]:
    """The widget with the digits of a picture, where there are several."""
    return [each for each in app.get("button_group") if "digits found" in each.label]  # type: ignore[union-attr]


def test_of_several_digits_one_is_taken_and_the_others_are_offered(app: AppTest) -> None:
    app.run()
    upload(app, png(three_digits()))
    (choice,) = offered(app)
    assert choice.label == "3 digits found; the 1st is taken"
    ones = shown(app, "drawn")
    assert np.ptp(np.flatnonzero(ones.any(0))) < 8
    form = mnist_form(rasterize([[60, 60, 200, 60, 120, 230]]))
    assert form is not None
    choice.set_value(2).run()
    assert not app.exception
    assert np.corrcoef(shown(app, "drawn").ravel(), form.ravel())[0, 1] > 0.98
    (choice,) = offered(app)
    assert choice.label == "3 digits found; the 3rd is taken"
    # It is still so after a look at another tool; a picture of one digit leaves no choice.
    for tab in ("Generate", "Draw"):
        app.session_state["tab"] = tab
        app.run()
    (choice,) = offered(app)
    assert choice.label == "3 digits found; the 3rd is taken"
    upload(app, seven())
    assert not offered(app)


def test_digits_are_offered_to_models_of_digits_only(shipped: AppTest) -> None:
    shipped.query_params.update({"tab": "Draw", "experiment": "mnist-2d"})
    shipped.run()
    upload(shipped, png(three_digits()))
    assert offered(shipped)
    for experiment, are_digits in (("fashion-mnist-2d", False), ("mnist-2d", True)):
        shipped.session_state["experiment"] = experiment
        shipped.run()
        assert not shipped.exception
        assert bool(offered(shipped)) == are_digits


def test_of_an_upload_nothing_is_kept_but_its_digits(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    remove = MemoryUploadedFileManager.remove_file

    def watched(manager: MemoryUploadedFileManager, session_id: str, file_id: str) -> None:
        assert len(manager.file_storage[session_id]) == 1
        remove(manager, session_id, file_id)
        left.append(len(manager.file_storage[session_id]))

    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", watched)
    app.run()
    for content in (png(three_digits()), b"no picture"):
        upload(app, content)
    assert left == [0, 0]
    drawing = app.session_state["drawing"]
    assert [form.shape for form in drawing.found] == [(28, 28)] * 3
    assert {drawing.image.shape, drawing.base.shape} == {(28, 28)}
    assert "picture_0" not in app.session_state
    assert "picture_1" not in app.session_state


@pytest.mark.parametrize("are_digits", [True, False])
def test_on_a_blank_picture_nothing_can_be_seen(are_digits: bool) -> None:
    with pytest.raises(DrawingError, match=r"^Nothing can be seen on blank.png; expected is a "):
        _read_file(png(np.full((40, 40), 255, np.uint8)), "blank.png", are_digits, False)


@pytest.mark.parametrize("colour", [0, 255])
def test_what_is_no_digit_lies_light_on_dark_whatever_its_colour(colour: int) -> None:
    shape = np.zeros((56, 40), np.uint8)
    shape[10:40, 8:30] = 255
    (image,) = _read_file(png(np.dstack([np.full_like(shape, colour)] * 3 + [shape])), "shirt.png", False, False)
    assert image[14, 14] == 255
    assert image[1, 14] == image[14, 1] == 0


def test_a_picture_that_is_preprocessed_stays_as_it_is(fitted: Path) -> None:
    picture = mnist_form(rasterize([[60, 60, 200, 60, 120, 230]]))
    assert picture is not None
    picture.setflags(write=False)
    found = preprocessed(open_models(fitted / "digits-2d"), picture)
    np.testing.assert_array_equal(found, picture)
    assert not np.shares_memory(found, picture)
    assert found.flags.writeable


def test_it_is_kept_while_other_tabs_are_open(app: AppTest) -> None:
    app.run()
    upload(app, seven())
    before = shown(app, "drawn")
    for tab in ("Generate", "Draw"):
        app.session_state["tab"] = tab
        app.run()
        assert not app.exception
    np.testing.assert_array_equal(shown(app, "drawn"), before)


def test_what_is_drawn_on_a_picture_is_added_to_it(app: AppTest) -> None:
    app.run()
    upload(app, seven())
    before = shown(app, "drawn")
    dash = [[90, 150, 190, 150]]
    report = Drawn(1, app.session_state["drawing"].version, based=True, strokes=dash)
    app.session_state["drawing"] = after(report, app)
    app.run()
    assert not app.exception
    assert shown(app, "drawn").sum() > before.sum() + 3
    # Undone, it is as before, bit by bit; and without the picture under it there is the dash alone.
    app.session_state["drawing"] = after(report._replace(number=2, strokes=[]), app)
    app.run()
    np.testing.assert_array_equal(shown(app, "drawn"), before)
    app.session_state["drawing"] = after(report._replace(number=3, based=False), app)
    app.run()
    form = mnist_form(rasterize(dash))
    assert form is not None
    np.testing.assert_allclose(shown(app, "drawn") * 255, form, atol=0.5)


def after(report: Drawn, app: AppTest) -> object:
    """What is on the pad after a report: AppTest knows no components."""
    import streamlit

    streamlit.session_state["drawing"] = app.session_state["drawing"]
    take_report(Classes(DIGITS), report)
    return streamlit.session_state["drawing"]


@pytest.mark.parametrize("drawn", [False, True])
def test_a_text_called_png_gets_a_sentence_and_changes_nothing(drawn: bool, app: AppTest) -> None:
    app.run()
    if drawn:
        upload(app, seven())
    upload(app, b"<b>This is no picture.</b>", "<i>five</i>.png")
    assert '<span role="alert">&lt;i&gt;five&lt;/i&gt;.png is no picture that can be read here' in html(app)
    assert ('data-name="drawn"' in html(app)) == drawn
    # The next one makes it forgotten.
    upload(app, seven())
    assert "alert" not in html(app)
    assert 'data-name="drawn"' in html(app)


def test_small_black_and_white_models_see_it_small_and_black_and_white(
    app: AppTest, checkpoints: Path, experiment: Experiment
) -> None:
    for model in MODELS:
        rewrite(
            checkpoint_path(checkpoints / experiment.name, model), lambda a, s: s["experiment"].update(binarised=True)
        )
    app.run()
    upload(app, seven())
    seen = shown(app, "seen")
    assert set(np.unique(seen)) == {0, 1}
    np.testing.assert_array_equal(seen, shown(app, "drawn") >= 128 / 255)
    vae = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).load_network()
    with torch.inference_mode():
        back = vae.decode(vae.encode(torch.as_tensor(seen, dtype=torch.float32)[None])).sigmoid()[0].numpy()
    np.testing.assert_allclose(shown(app, "reconstruction-vae"), back, atol=0.003)


def test_without_classifier_and_data_the_rest_is_there(app: AppTest, checkpoints: Path, experiment: Experiment) -> None:
    classifier_path(checkpoints, "digits").unlink()
    for model in MODELS:
        rewrite(
            checkpoint_path(checkpoints / experiment.name, model), lambda a, s: s["experiment"].update(dataset="mnist")
        )
    app.run()
    upload(app, seven())
    assert not app.error
    assert "sure" not in html(app)
    codes = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).codes().code
    vae = Checkpoint(checkpoint_path(checkpoints / experiment.name, "vae")).load_network()
    with torch.inference_mode():
        code = vae.encode(torch.as_tensor(shown(app, "drawn"), dtype=torch.float32)[None])
        nearest = int(np.linalg.norm(codes - code.numpy(), axis=1).argmin())
        own = vae.decode(torch.as_tensor(codes[[nearest]], dtype=torch.float32)).sigmoid()[0].numpy()
    np.testing.assert_allclose(shown(app, "near-vae-1"), own, atol=0.003)


def test_a_broken_checkpoint_is_told(app: AppTest, checkpoints: Path) -> None:
    app.run()
    upload(app, seven())
    (checkpoints / "broken").mkdir()
    app.run()
    app.selectbox("experiment").set_value("broken").run()
    assert not app.exception
    assert "is missing" in app.error[0].value
