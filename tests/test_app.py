"""Every tab through Streamlit's AppTest: what is said and computed; what is drawn is tested in the browser."""

import base64
import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import latent, measures
from explorer.library import a_digit
from explorer.state import FRAMES, SECONDS_A_MOMENT
from explorer.twins import open_twins
from tests.conftest import ROOT, rewrite
from training.checkpoint import Checkpoint, checkpoint_path
from training.classifier import classifier_path, load_classifier
from training.datasets import Data
from training.experiments import Experiment
from training.objective import evaluate_each
from training.study import read_study, study_path


@pytest.fixture
def app(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("LATENT_CHECKPOINTS", str(checkpoints))
    monkeypatch.setenv("LATENT_DATA_DIR", str(tmp_path / "no-data"))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def html(app: AppTest) -> str:
    """What stands on the page as HTML, the answers of the overlays included."""
    answers = [json.loads(element.proto.json or "{}").get("answer", "") for element in app.main.get("bidi_component")]
    return "".join(answers + [element.proto.body for element in app.main.get("html")])


def shown(app: AppTest, name: str) -> np.ndarray:
    """The picture of that name, pixels in [0, 1]."""
    address = re.search(rf'data-name="{name}" src="data:image/png;base64,([^"]+)"', html(app))
    assert address, name
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address[1])))) / 255


def decode(checkpoints: Path, recipe: Experiment, model: str, point: tuple[float, float]) -> np.ndarray:
    network = Checkpoint(checkpoint_path(checkpoints / recipe.name, model)).load_model()
    return network.decode(torch.tensor([point])).sigmoid()[0].numpy()


def test_explore_decodes_the_pick_and_says_where_it_lies(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.run()
    assert not app.exception
    app.number_input("vae_x").set_value(0.5)
    app.number_input("vae_y").set_value(-0.25).run()
    assert not app.exception
    np.testing.assert_allclose(shown(app, "pick-vae"), decode(checkpoints, recipe, "vae", (0.5, -0.25)), atol=0.003)
    codes = Checkpoint(checkpoint_path(checkpoints / recipe.name, "vae")).codes()
    near = latent.nearest(codes.code, (0.5, -0.25))
    away = f"{near.distance:.2g} away".replace("-", "−")
    assert f"<b>{a_digit(codes.digit[near.image])}</b> (image {near.image}), {away}" in html(app)
    assert "Decode of (0.5, −0.25)" in html(app)
    # The nearest test digit is ringed, and both models decode their own code of it.
    assert app.number_input("digit").value == near.image
    for model in ("autoencoder", "vae"):
        own = Checkpoint(checkpoint_path(checkpoints / recipe.name, model)).codes().code[near.image]
        np.testing.assert_allclose(
            shown(app, f"ringed-{model}"), decode(checkpoints, recipe, model, tuple(own.tolist())), atol=0.003
        )


def test_a_far_point_is_said_to_lie_in_a_gap(app: AppTest) -> None:
    app.run()
    assert "Among the codes" in html(app)
    app.number_input("ae_x").set_value(1e4).run()
    assert "In a gap" in html(app)
    assert "100 % of the codes" in html(app)


def test_both_faces_and_the_number_of_decodes(app: AppTest) -> None:
    app.run()
    assert app.slider("n").disabled
    app.segmented_control("face").set_value("grid").run()
    assert not app.exception
    app.slider("n").set_value(7).run()
    assert not app.exception
    assert app.session_state["n"] == 7


def test_original_stands_beside_its_decodes(app: AppTest, digits: Data) -> None:
    # The bundled digits need no files, so their originals are always at hand.
    app.run()
    app.number_input("digit").set_value(17).run()
    expected = digits.test.images[17].numpy() / 255
    np.testing.assert_allclose(shown(app, "original"), expected, atol=0.003)


def test_interpolation_runs_from_end_to_end(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.query_params["tab"] = "Interpolate"
    app.run()
    assert not app.exception
    codes = Checkpoint(checkpoint_path(checkpoints / recipe.name, "autoencoder")).codes()
    for frame, end, digit in ((0, "from", 2), (FRAMES - 1, "to", 6)):
        app.slider("frame").set_value(frame).run()
        image = int(app.number_input(f"{end}_image").value or 0)
        assert codes.digit[image] == digit
        expected = decode(checkpoints, recipe, "autoencoder", tuple(codes.code[image].tolist()))
        np.testing.assert_allclose(shown(app, "frame-autoencoder"), expected, atol=0.003)


def test_ends_can_be_another_digit_or_the_pick(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.query_params["tab"] = "Interpolate"
    app.run()
    codes = Checkpoint(checkpoint_path(checkpoints / recipe.name, "vae")).codes()
    app.selectbox("from_class").set_value(9).run()
    first = app.number_input("from_image").value
    assert first == np.flatnonzero(codes.digit == 9)[0]
    app.button("from_another").click().run()
    assert app.number_input("from_image").value == np.flatnonzero(codes.digit == 9)[1]
    app.number_input("from_image").set_value(3).run()
    assert app.selectbox("from_class").value == codes.digit[3]
    app.segmented_control("from").set_value("pick").run()
    app.number_input("vae_x").set_value(1.0).run()
    app.number_input("vae_y").set_value(1.0).run()
    app.slider("frame").set_value(0).run()
    assert not app.exception
    np.testing.assert_allclose(shown(app, "frame-vae"), decode(checkpoints, recipe, "vae", (1.0, 1.0)), atol=0.003)


def test_both_ends_can_be_the_pick_and_it_is_said_that_they_are_one(app: AppTest) -> None:
    app.query_params.update({"tab": "Interpolate", "from": "pick", "to": "pick"})
    app.run()
    assert not app.exception
    assert any("Both ends are the same pick" in text.value for text in app.markdown)


def test_links_name_the_digit_and_the_ends(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    codes = Checkpoint(checkpoint_path(checkpoints / recipe.name, "vae")).codes()
    app.query_params["digit"] = "7"
    app.run()
    assert f"It is {a_digit(codes.digit[7])}, and has a code in each space." in html(app)
    app.query_params.update({"tab": "Interpolate", "from_image": "4"})
    app.run()
    assert app.selectbox("from_class").value == codes.digit[4]


def test_curves_tell_the_test_figures(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.query_params["tab"] = "Training curves"
    app.run()
    assert not app.exception
    test = {m: Checkpoint(checkpoint_path(checkpoints / recipe.name, m)).test for m in ("vae", "autoencoder")}
    values = {metric.label: metric.value for metric in app.metric}
    assert values == {
        "VAE ELBO": f"−{-test['vae']['elbo']:.2f} nats",
        "VAE reconstruction": f"−{-test['vae']['reconstruction']:.2f} nats",
        "VAE KL": f"{test['vae']['kl']:.2f} nats",
        "AE reconstruction": f"−{-test['autoencoder']['reconstruction']:.2f} nats",
    }
    app.segmented_control("x_axis").set_value("seconds").run()
    app.toggle("log").set_value(False).run()
    assert not app.exception


def test_film_follows_the_clock_whatever_a_slow_browser_reports(
    app: AppTest, checkpoints: Path, recipe: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("explorer.state.time", SimpleNamespace(monotonic=lambda: now))
    updates = Checkpoint(checkpoint_path(checkpoints / recipe.name, "vae")).snapshots().update.tolist()
    app.query_params.update({"tab": "Training curves", "moment": str(updates[-4])})
    app.run()
    app.button("play").click().run()
    for moment in (-3, -2, -1):
        now += SECONDS_A_MOMENT
        # Each time the browser still has the moment before; no person set it.
        slider = app.select_slider("moment")
        slider.proto.disabled = False
        slider.set_value(updates[moment - 1]).run()
        assert not app.exception
        assert app.select_slider("moment").value == updates[moment]
        assert app.button("play").label == "Pause"
        assert app.select_slider("moment").disabled
    now += SECONDS_A_MOMENT
    slider = app.select_slider("moment")
    slider.proto.disabled = False
    slider.set_value(updates[-2]).run()
    assert app.select_slider("moment").value == updates[-1]
    assert app.button("play").label == "Play"
    # Later the slider is the reader's again.
    now += 60
    app.select_slider("moment").set_value(updates[2]).run()
    assert app.select_slider("moment").value == updates[2]
    # A pause keeps the moment that was shown; from the last one, it plays from the beginning.
    app.button("play").click().run()
    now += 1.5 * SECONDS_A_MOMENT
    app.button("play").click().run()
    assert app.button("play").label == "Play"
    assert app.select_slider("moment").value == updates[3]
    app.select_slider("moment").set_value(updates[-1]).run()
    app.button("play").click().run()
    assert app.select_slider("moment").value == updates[0]


def test_broken_checkpoint_is_told_and_the_others_still_work(
    app: AppTest, checkpoints: Path, recipe: Experiment
) -> None:
    broken = checkpoints / "broken"
    broken.mkdir()
    for name, content in (("vae", b"nonsense"), ("autoencoder", b"")):
        (broken / f"{name}.safetensors").write_bytes(content)
    (checkpoints / "empty").mkdir()
    app.run()
    assert app.selectbox("experiment").options == [recipe.name, "broken", "empty"]
    for name, sentence in (("broken", "is no safetensors file, or is cut short"), ("empty", "is missing")):
        app.selectbox("experiment").set_value(name).run()
        assert not app.exception
        (error,) = app.error
        assert sentence in error.value
        assert str(checkpoints / name) in error.value
    app.selectbox("experiment").set_value(recipe.name).run()
    assert not app.error
    assert "Decode of" in html(app)


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
    app: AppTest, checkpoints: Path, recipe: Experiment
) -> None:
    for model in ("vae", "autoencoder"):
        rewrite(checkpoint_path(checkpoints / recipe.name, model), lambda a, s: s["experiment"].update(dataset="mnist"))
    app.run()
    assert not app.exception
    assert "not on this computer" in " ".join(caption.value for caption in app.caption)
    assert 'data-name="original"' not in html(app)
    assert 'data-name="ringed-vae"' in html(app)


def test_traverse_moves_the_pick_along_a_dimension(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.query_params["tab"] = "Traverse"
    app.query_params["vae_x"], app.query_params["vae_y"] = "0.5", "-0.25"
    app.run()
    assert not app.exception
    np.testing.assert_allclose(shown(app, "moved-vae"), decode(checkpoints, recipe, "vae", (0.5, -0.25)), atol=0.003)
    app.slider("move_2").set_value(1.5).run()
    assert not app.exception
    # The VAE is moved by standard deviations of its prior, the AE by those of its codes.
    np.testing.assert_allclose(shown(app, "moved-vae"), decode(checkpoints, recipe, "vae", (0.5, 1.25)), atol=0.003)
    codes = Checkpoint(checkpoint_path(checkpoints / recipe.name, "autoencoder")).codes().code
    x, y = (codes[0].round(3) + np.array([0, 1.5 * codes[:, 1].std()])).tolist()
    np.testing.assert_allclose(
        shown(app, "moved-autoencoder"), decode(checkpoints, recipe, "autoencoder", (x, y)), atol=0.003
    )
    # The film's frame at the slider is the same decode.
    film = shown(app, "dimension-2-vae")
    np.testing.assert_allclose(film[:, 9 * 28 : 10 * 28], shown(app, "moved-vae"), atol=0.003)
    app.button[-1].click().run()
    assert app.slider("move_2").value == 0


def test_reconstruct_shows_what_both_models_make_of_each_split(
    app: AppTest, checkpoints: Path, recipe: Experiment, digits: Data
) -> None:
    app.query_params["tab"] = "Reconstruct"
    app.run()
    assert not app.exception
    model = Checkpoint(checkpoint_path(checkpoints / recipe.name, "vae")).load_model()
    for split in ("training", "validation", "test"):
        app.segmented_control("images").set_value(f"{split} images").run()
        assert not app.exception
        number = int(re.findall(r"<small>image (\d+)</small>", html(app))[0])
        grey = getattr(digits, {"training": "train"}.get(split, split)).images[number] / 255
        np.testing.assert_allclose(shown(app, f"original-{number}"), grey, atol=0.003)
        own = model.decode(model.code(grey[None])).sigmoid()[0]
        np.testing.assert_allclose(shown(app, f"vae-{number}"), own, atol=0.003)
    # Like stands beside like: both reconstructions below the pictures, the ELBO in a row of its own.
    each = evaluate_each(model, digits.test, samples=5)
    assert each.kl is not None
    log_likelihood, kl = float(each.reconstruction[number]), float(each.kl[number])
    assert re.search(rf'data-name="vae-{number}"[^>]*><b>−{-log_likelihood:.1f} nats</b>', html(app))
    bound = f"<b>−{kl - log_likelihood:.1f} nats</b><small>−{-log_likelihood:.1f} − {kl:.1f}</small>"
    assert bound in html(app).split("apart")[1]
    before = html(app)
    app.button("others").click().run()
    assert html(app) != before


def test_worst_images_are_the_worst(app: AppTest, checkpoints: Path, recipe: Experiment, digits: Data) -> None:
    app.query_params["tab"] = "Reconstruct"
    app.query_params["images"] = "worst test images"
    app.query_params["rank"] = "AE reconstruction"
    app.run()
    assert not app.exception
    model = Checkpoint(checkpoint_path(checkpoints / recipe.name, "autoencoder")).load_model()
    each = evaluate_each(model, digits.test).reconstruction
    worst = [int(number) for number in re.findall(r"<small>image (\d+)</small>", html(app))]
    assert worst == each.argsort()[:10].tolist()
    assert f"{each[worst[0]]:.1f} nats".replace("-", "−") in html(app)
    assert f"{-each[worst[0]] / np.log(2):.0f} bits" in html(app)


def test_generate_decodes_the_same_noise_and_says_how_many_are_digits(
    app: AppTest, checkpoints: Path, recipe: Experiment
) -> None:
    app.query_params["tab"] = "Generate"
    app.run()
    assert not app.exception
    app.number_input("seed").set_value(5).run()
    z = np.random.default_rng(5).standard_normal((10, 2))
    for model in ("vae", "autoencoder"):
        expected = decode(checkpoints, recipe, model, (float(z[3, 0]), float(z[3, 1])))
        np.testing.assert_allclose(shown(app, f"{model}-prior-4"), expected, atol=0.003)
    x, y = latent.as_codes(z, Checkpoint(checkpoint_path(checkpoints / recipe.name, "autoencoder")).codes().code)[3]
    expected = decode(checkpoints, recipe, "autoencoder", (float(x), float(y)))
    np.testing.assert_allclose(shown(app, "autoencoder-fitted-4"), expected, atol=0.003)
    app.button("again").click().run()
    assert app.number_input("seed").value == 6
    vae = open_twins(checkpoints / recipe.name).vae
    decodes = vae.decode(np.random.default_rng(0).standard_normal((2000, 2)))
    share = (measures.read(load_classifier(checkpoints, "digits")[0], decodes).max(axis=1) >= 0.9).mean()
    assert any(f"**{100 * share:.1f} %**" in text.value for text in app.markdown)


def test_generate_without_a_classifier_still_decodes(app: AppTest, checkpoints: Path) -> None:
    classifier_path(checkpoints, "digits").unlink()
    app.query_params["tab"] = "Generate"
    app.run()
    assert not app.exception
    assert 'data-name="vae-prior-1"' in html(app)
    assert all("digits.classifier.safetensors is missing" in error.value for error in app.error)
    assert len(app.error) == 3


def test_compare_shows_what_was_measured(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.query_params["tab"] = "Compare"
    app.run()
    assert not app.exception
    assert f"measure it: python -m explorer measure {recipe.name}" in app.error[0].value
    twins = open_twins(checkpoints / recipe.name)
    measured = measures.measure(twins, load_classifier(checkpoints, "digits")[0], lambda told: None)
    measures.write_measures(checkpoints / recipe.name, measured)
    app.run()
    assert not app.exception
    told = " ".join(text.value for text in app.markdown)
    for model in ("autoencoder", "vae"):
        for name, text in (("knn_accuracy", "{:.1%}"), ("jump", "{:.2f}"), ("plane_entropy", "{:.2f} nats")):
            assert text.format(measured.values[model][name]).replace("%", " %") in told
        assert f"{measured.overlap[model][3]:.1%}".replace("%", " %") in told
    assert told.count("undefined: it has no prior") == 2
    # The better number is bold, and what the textbook says of it is judged by it.
    ae, vae = (measured.values[model]["centre_over_spread"] for model in ("autoencoder", "vae"))
    assert f"**{min(ae, vae):.2f}**" in told
    app.button("show_jump").click().run()
    assert not app.exception
    assert app.session_state["tab"] == "Interpolate"
    assert 'data-name="frame-vae"' in html(app)


def test_compare_shows_the_study_of_latent_sizes(app: AppTest, checkpoints: Path) -> None:
    app.query_params["tab"] = "Compare"
    app.run()
    assert "latent-sizes.json is missing" in app.error[1].value
    shutil.copy(ROOT / "checkpoints" / "latent-sizes.json", checkpoints)
    app.run()
    (smallest, *_, largest) = read_study(study_path(checkpoints))
    told = " ".join(text.value for text in app.markdown)
    for model in ("autoencoder", "vae"):
        first, last = (size.training[model]["reconstruction"] for size in (smallest, largest))
        assert f"goes from {first:.2f} nats to {last:.2f} nats".replace("-", "−") in told
        assert last > first
    assert "The claim does not hold" in told


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
    app: AppTest, checkpoints: Path, recipe: Experiment
) -> None:
    def collapse(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
        arrays["codes.code"] = (1e-6 * arrays["codes.code"]).astype(arrays["codes.code"].dtype)

    rewrite(checkpoint_path(checkpoints / recipe.name, "vae"), collapse)
    app.query_params.update({"vae_x": "0.001", "vae_y": "0"})  # farther from the heap than any of its codes
    app.run()
    assert not app.exception
    vae = next(part for part in html(app).split("Decode of ") if part.startswith("(0.001, 0)</h5>"))
    assert "Among the codes" in vae
    assert "nearer than could be seen on the map" in vae
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update({"vae_x": "0.5", "vae_y": "0"})
    app.run()
    vae = next(part for part in html(app).split("Decode of ") if part.startswith("(0.5, 0)</h5>"))
    assert "In a gap" in vae


def test_a_digit_has_its_article() -> None:
    assert [a_digit(digit) for digit in (1, 7, 8)] == ["a 1", "a 7", "an 8"]


def test_how_many_codes_a_map_shows_is_no_choice_where_there_are_few(app: AppTest) -> None:
    app.run()
    slider = app.select_slider("codes")
    assert slider.label == "Test codes on a map: all 300"
    assert slider.disabled


def test_beta_chooses_the_vae_and_everything_follows(app: AppTest, checkpoints: Path, recipe: Experiment) -> None:
    app.query_params["tab"] = "Beta"
    app.run()
    assert not app.exception
    assert "This experiment has one VAE, of beta 1" in " ".join(text.value for text in app.markdown)
    folder = checkpoints / recipe.name
    # The same model, but brighter, under the name of another beta: its decodes can be told apart.
    shutil.copy(checkpoint_path(folder, "vae"), other := checkpoint_path(folder, "vae", 0.5))

    def change(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
        settings["experiment"]["beta"] = 0.5
        settings["test"]["elbo"] = -111.0
        last = max(name for name in arrays if name.startswith("weights.decoder") and name.endswith("bias"))
        arrays[last] = arrays[last] + np.float16(2)

    rewrite(other, change)
    app.run()
    assert app.select_slider("beta").value == 1.0
    app.select_slider("beta").set_value(0.5).run()
    assert not app.exception
    assert any("ELBO **−111.00**" in text.value for text in app.markdown)
    # A link opens it, too.
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update({"beta": "0.5", "vae_x": "0.5", "vae_y": "-0.25"})
    app.run()
    expected = Checkpoint(other).load_model().decode(torch.tensor([[0.5, -0.25]])).sigmoid()[0].numpy()
    np.testing.assert_allclose(shown(app, "pick-vae"), expected, atol=0.003)
    assert np.abs(expected - decode(checkpoints, recipe, "vae", (0.5, -0.25))).max() > 0.1
