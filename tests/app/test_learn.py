"""The tour: each step's view, its point, its code and its answer, through Streamlit's AppTest."""

import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import training.fit
import training.models
import training.objective
from explorer import latent
from explorer.models import open_models
from explorer.sweeps import latent_sizes
from explorer.tour import AFTERWARDS, STEPS, Source, said, share_beyond
from explorer.views.interpolate import FRAMES
from tests.app.conftest import decode, html, shown
from tests.conftest import ROOT
from training.checkpoint import Checkpoint, Codes, checkpoint_path
from training.experiments import Experiment
from training.sweep_table import read_table, table_path

VIEWS = {1: "original-", 2: "pick-vae", 3: "pick-vae", 5: "pick-vae", 7: "pick-vae", 9: "frame-vae"}


def codes_of(checkpoints: Path, experiment: Experiment, model: str) -> Codes:
    return Checkpoint(checkpoint_path(checkpoints / experiment.name, model)).codes()


def picks(app: AppTest, model: str) -> tuple[float, float]:
    x, y = (float(app.number_input(f"{model}_{axis}").value or 0) for axis in "xy")
    return x, y


def go_to(app: AppTest, step: int) -> AppTest:
    app.query_params.update({"tab": "Learn", "step": str(step)})
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1))
def test_each_step_has_its_text_view_code_and_answer(
    app: AppTest, number: int, checkpoints: Path, experiment: Experiment
) -> None:
    go_to(app, number)
    # Small models come without a classifier, which reads random codes, and without the study of latent sizes.
    assert not app.error or number in (4, 8, 10)
    step, pair = STEPS[number - 1], open_models(checkpoints / experiment.name)
    texts = [each.value for each in app.markdown]
    assert any(said(step.title, pair) in text and f"{number} of {len(STEPS)}" in text for text in texts)
    assert inspect.cleandoc(said(step.text, pair)) in texts
    assert inspect.cleandoc(said(step.formula, pair)) in app.latex[0].value
    question = next(each for each in app.expander if each.label == f"**{said(step.question, pair)}**")
    if number < 10:
        assert not re.search(r"nan|\d\.\d{4}", question.markdown[0].value)
    if number in VIEWS:
        assert f'data-name="{VIEWS[number]}' in html(app)
    folded = next(each for each in app.expander if each.label == "The code that does it")
    for source, code in zip(step.sources, folded.code, strict=True):
        assert f"`{source.file}`" in " ".join(caption.value for caption in folded.caption)
        file = (ROOT / source.file).read_text()
        lines = [line.strip() for line in code.value.splitlines()]
        assert "\n".join(lines) in "\n".join(line.strip() for line in file.splitlines())


@pytest.mark.parametrize(
    ("source", "definition"),
    [
        (Source("training/objective.py", "reparametrise"), training.objective.reparametrise),
        (Source("training/objective.py", "ElboTerms"), training.objective.ElboTerms),
        (Source("training/models.py", "Autoencoder.decode"), training.models.Autoencoder.decode),
    ],
)
def test_code_is_the_very_source(source: Source, definition: object) -> None:
    code, first = source.lines()
    text, line = inspect.getsourcelines(definition)  # type: ignore[arg-type]
    assert code == inspect.cleandoc("\n" + "".join(text))
    assert first == line


def test_a_part_of_a_function_runs_from_line_to_line() -> None:
    code, first = Source("training/fit.py", "_updates", "batch_terms = elbo_terms(", "loss = (").lines()
    text, start = inspect.getsourcelines(training.fit._updates)
    assert [line.strip() for line in code.splitlines()] == [line.strip() for line in text[first - start :][:3]]
    assert not code[0].isspace()
    with pytest.raises(ValueError, match="unpack"):
        Source("training/fit.py", "_updates", "no such line").lines()


def test_gap_step_picks_the_widest_gaps_and_decodes_them(
    app: AppTest,
    checkpoints: Path,
    experiment: Experiment,
) -> None:
    go_to(app, 3)
    for short, model in (("ae", "autoencoder"), ("vae", "vae")):
        code = codes_of(checkpoints, experiment, model).code
        gap = latent.largest_empty_circle(code, latent.window(code))
        assert picks(app, short) == pytest.approx(gap[:2])
        np.testing.assert_allclose(
            shown(app, f"pick-{model}"), decode(checkpoints, experiment, model, gap[:2]), atol=0.003
        )
        answer = next(each for each in app.expander if each.label == f"**{STEPS[2].question}**").markdown[0].value
        assert f"{gap.radius:.3g} ({short.upper()}" in answer
    # What is picked then stays, until the view is set again or another step is entered.
    app.number_input("ae_x").set_value(0.5).run()
    assert picks(app, "ae")[0] == 0.5
    app.button("tour_again").click().run()
    assert picks(app, "ae")[0] != 0.5
    app.number_input("ae_x").set_value(0.5).run()
    app.button("tour_previous").click().run()
    assert picks(app, "ae") == pytest.approx(codes_of(checkpoints, experiment, "autoencoder").code[0])
    assert app.number_input("digit").value == 0


def test_buttons_and_numbers_walk_through_the_steps(app: AppTest) -> None:
    go_to(app, 1)
    assert app.button("tour_previous").disabled
    for number in range(2, len(STEPS) + 1):
        app.button("tour_next").click().run()
        assert not app.exception
        assert app.segmented_control("step").value == number
    assert app.button("tour_next").disabled
    (references,) = (text.value for text in app.markdown if "To read on" in text.value)
    assert "Kingma and Max Welling, 2013" in references.splitlines()[1]
    app.segmented_control("step").set_value(6).run()
    assert not app.exception
    assert "The ELBO" in " ".join(text.value for text in app.markdown)


def test_the_last_step_tells_of_fits_and_images_of_ones_own_with_pictures_and_opens_train(app: AppTest) -> None:
    go_to(app, len(STEPS))
    captions = [image.caption for element in app.get("image") for image in element.proto.imgs]
    assert captions == [ahead.caption for ahead in AFTERWARDS]
    for ahead in AFTERWARDS:
        assert any(ahead.text in each.value for each in app.markdown)
    next(each for each in app.button if each.label == "Open Train").click().run()
    assert not app.exception
    assert app.segmented_control("tab").value == "Train"
    assert [each.label for each in app.button if each.key == "start_fit"]


def test_what_a_link_names_stands(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    app.query_params.update({"vae_x": "0.25", "vae_y": "-0.5"})
    go_to(app, 3)
    assert picks(app, "vae") == (0.25, -0.5)
    np.testing.assert_allclose(shown(app, "pick-vae"), decode(fitted, experiment, "vae", (0.25, -0.5)), atol=0.003)
    code = codes_of(fitted, experiment, "autoencoder").code
    assert picks(app, "ae") == pytest.approx(latent.largest_empty_circle(code, latent.window(code))[:2])


def test_elbo_step_tells_the_checkpoints_figures(app: AppTest, fitted: Path, experiment: Experiment) -> None:
    go_to(app, 6)
    test = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).test
    answer = next(each for each in app.expander if each.label == f"**{STEPS[5].question}**").markdown[0].value
    assert f"**−{-test['elbo']:.2f} = −{-test['reconstruction']:.2f} − {test['kl']:.2f}** nats" in answer


def test_last_step_tells_the_study_of_latent_sizes(app: AppTest, checkpoints: Path) -> None:
    shutil.copy(table_path(ROOT / "checkpoints", "latent-sizes"), checkpoints)
    go_to(app, 10)
    assert not app.error
    answer = next(each for each in app.expander if each.label == f"**{STEPS[9].question}**").markdown[0].value
    for size in latent_sizes(read_table(table_path(checkpoints, "latent-sizes"))):
        assert f"−{-size.test['vae'].elbo:.2f}" in answer
        assert f"−{-size.test['autoencoder'].reconstruction:.2f}" in answer


def test_a_throw_is_a_sample_of_the_ringed_images_gaussian(
    app: AppTest,
    checkpoints: Path,
    experiment: Experiment,
) -> None:
    go_to(app, 7)
    codes = codes_of(checkpoints, experiment, "vae")
    assert codes.log_variance is not None
    image = int(app.number_input("digit").value or 0)
    assert codes.log_variance[image].sum() > np.median(codes.log_variance.sum(axis=1))
    noise = []
    for _ in range(2):
        noise.append((np.array(picks(app, "vae")) - codes.code[image]) / np.exp(0.5 * codes.log_variance[image]))
        app.button("tour_again").click().run()
        assert app.number_input("digit").value == image
    assert np.abs(noise).max() < 6
    assert not np.allclose(*noise)


def test_interpolation_step_stands_half_way_from_a_2_to_a_6(
    app: AppTest,
    checkpoints: Path,
    experiment: Experiment,
) -> None:
    go_to(app, 9)
    app.slider("frame").set_value(3)
    app.selectbox("from_class").set_value(9).run()
    assert app.slider("frame").value == 3
    app.button("tour_previous").click().run()
    app.button("tour_next").click().run()
    assert not app.exception
    codes = codes_of(checkpoints, experiment, "vae")
    ends = [np.flatnonzero(codes.labels == digit)[0] for digit in (2, 6)]
    assert [app.number_input(f"{end}_image").value for end in ("from", "to")] == ends
    assert app.slider("frame").value == FRAMES // 2
    middle = codes.code[ends].astype(float).mean(axis=0)
    np.testing.assert_allclose(
        shown(app, "frame-vae"), decode(checkpoints, experiment, "vae", tuple(middle.tolist())), atol=0.003
    )


def test_what_the_lesson_leaves_out_is_not_offered(app: AppTest) -> None:
    app.query_params.update({"tab": "Learn", "step": "10", "hide": "train, Compare"})
    app.run()
    assert next(button for button in app.button if button.label == "Open Train").disabled
    assert not any("The numbers here are those of this experiment" in text.value for text in app.caption)  # of a study


def test_the_second_step_speaks_of_as_many_numbers_as_a_code_has() -> None:
    step, pairs = STEPS[1], [open_models(ROOT / "checkpoints" / name) for name in ("mnist-2d", "mnist-14px-8d")]
    two, eight = (" ".join(said(words, pair) for words in (step.title, step.text, step.formula)) for pair in pairs)
    assert "A space of two numbers" in two
    assert "fits on the screen" in two
    assert "A space of 8 numbers" in eight
    assert "fits on the screen" not in eight
    assert "z_2" not in eight


@pytest.mark.parametrize(
    ("radius", "told"), [(0.0, "100.00 %"), (2.0, "13.53 %"), (4.1, "0.02 %"), (9.0, "Less than 0.01 %")]
)
def test_the_share_of_draws_beyond_a_radius_is_told(radius: float, told: str) -> None:
    assert share_beyond(radius) == told


@pytest.mark.parametrize(("beta", "has_collapsed"), [(None, False), (5.0, False), (40.0, True)])
def test_which_posterior_has_collapsed(beta: float | None, has_collapsed: bool) -> None:
    assert open_models(ROOT / "checkpoints" / "mnist-2d", beta).has_collapsed == has_collapsed


@pytest.mark.parametrize(("beta", "is_told"), [("40", True), ("5", False)])
def test_a_collapsed_posterior_is_told(shipped: AppTest, beta: str, is_told: bool) -> None:
    shipped.query_params["beta"] = beta
    go_to(shipped, 8)
    assert shipped.session_state["beta"] == float(beta)
    told = "**Collapsed:** this VAE's codes lie together. Take a smaller beta."
    assert (told in [text.value for text in shipped.caption]) == is_told
