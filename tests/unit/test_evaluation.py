"""The numbers of an experiment: measured, written, read; those of another fit are not shown as its own."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer import evaluation, latent
from explorer.__main__ import app
from explorer.atlas import read_atlas
from explorer.evaluation import Evaluation, evaluation_path, read_evaluation, samples, write_evaluation
from explorer.maps import Map
from explorer.models import ModelPair, open_models
from tests.conftest import call_mnist, rewrite, run_command
from training.array_file import CheckpointError
from training.classifier import Classifier, load_classifier
from training.datasets import Data
from training.experiments import Experiment
from training.folders import DATA_VARIABLE


@pytest.fixture(scope="module")
def pair(fitted: Path, experiment: Experiment) -> ModelPair:
    return open_models(fitted / experiment.name)


@pytest.fixture(scope="module")
def classifier(fitted: Path) -> Classifier:
    return load_classifier(fitted, "digits")[0]


@pytest.fixture(scope="module")
def measured(
    fitted: Path, pair: ModelPair, experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    """What the command line wrote."""
    checkpoints = shutil.copytree(fitted, tmp_path_factory.mktemp("measured") / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "POSTERIORS", 60)  # test images, to save time
        done = run_command(app, "measure", experiment.name, "--checkpoints", checkpoints)
    assert done.exit_code == 0, done.stderr
    for map_ in map(Map, open_models(checkpoints / experiment.name)):
        assert read_atlas(map_, map_.window) is not None
    return read_evaluation(checkpoints / experiment.name, pair)


def test_samples_of_the_prior_and_of_the_codes_share_their_noise(pair: ModelPair) -> None:
    prior, fitted = (samples(pair.ae, source, 50_000, 1) for source in ("prior", "fitted"))
    np.testing.assert_array_equal(prior, samples(pair.vae, "prior", 50_000, 1))
    code = pair.ae.codes.code
    np.testing.assert_allclose(fitted.mean(axis=0), code.mean(axis=0), atol=0.05 * code.std())
    np.testing.assert_allclose(np.cov(fitted.T), np.cov(code.T), rtol=0.05, atol=0.02 * code.var())
    np.testing.assert_allclose(latent.noise_to_fitted_gaussian(prior, code), fitted)


def test_each_number_is_what_its_definition_says(pair: ModelPair, classifier: Classifier, measured: Evaluation) -> None:
    for model in pair:
        values = measured.values[model.name]
        assert {name: values[name] for name in model.checkpoint.test} == model.checkpoint.test
        decodes = model.decode(np.random.default_rng(evaluation.SEED).standard_normal((evaluation.SAMPLES, 2)))
        with torch.no_grad():
            probabilities = classifier(torch.from_numpy(decodes)).softmax(1).numpy()
        assert values["prior_read"] == pytest.approx(
            (probabilities.max(axis=1) >= 0.9).mean(), abs=2 / evaluation.SAMPLES
        )
        # The shares of the plane, and the gaps, nearly: by brute force on a coarse grid.
        code = model.codes.code.astype(float)
        grid = latent.grid(Map(model).window, 60)
        distances = np.linalg.norm(grid[:, None] - code, axis=2)
        shares = np.bincount(pair.labels[distances.argmin(axis=1)], minlength=10) / len(grid)
        assert values["plane_entropy"] == pytest.approx(-(shares * np.log(shares + 1e-300)).sum(), abs=0.02)
        own = np.linalg.norm(code[:, None] - code, axis=2)
        np.fill_diagonal(own, np.inf)
        gaps = (distances.min(axis=1) > 2 * np.median(own.min(axis=1))).mean()
        assert values["window_gaps"] == pytest.approx(gaps, abs=0.02)
    assert "elbo" not in measured.values["autoencoder"]


def test_round_trip(checkpoints: Path, experiment: Experiment, pair: ModelPair, measured: Evaluation) -> None:
    folder = checkpoints / experiment.name
    write_evaluation(folder, measured)
    again = read_evaluation(folder, pair)
    assert again.values == measured.values
    assert again.overlap == measured.overlap
    assert again.tsne == {}
    assert again.terms.keys() == measured.terms.keys() == {"autoencoder", "vae"}
    for name, terms in again.terms.items():
        for found, written in zip(terms, measured.terms[name], strict=True):
            np.testing.assert_array_equal(found, written)


def test_terms_of_each_test_image_are_the_models(pair: ModelPair, measured: Evaluation, digits: Data) -> None:
    for model in pair:
        found = measured.terms[model.name]
        reconstruction, kl = model.elbo_terms(digits.test)
        np.testing.assert_allclose(found.reconstruction, reconstruction, rtol=1e-6)
        if model.name == "autoencoder":
            assert found.kl is kl is None
        else:
            assert found.kl is not None
            assert kl is not None
            np.testing.assert_allclose(found.kl, kl, rtol=1e-6)


def test_slack_is_left_out_without_the_images(
    checkpoints: Path, experiment: Experiment, pair: ModelPair, measured: Evaluation
) -> None:
    vae = {name: value for name, value in measured.values["vae"].items() if name not in evaluation.POSTERIOR_METRICS}
    without = replace(measured, values=measured.values | {"vae": vae})
    write_evaluation(checkpoints / experiment.name, without)
    assert read_evaluation(checkpoints / experiment.name, pair).values == without.values
    no_data = {DATA_VARIABLE: str(checkpoints / "no-data")}
    of_mnist = call_mnist(checkpoints, experiment)
    done = run_command(app, "measure", experiment.name, "--checkpoints", of_mnist, **no_data)
    assert done.exit_code == 0, done.stderr
    assert "What needs the test images is left out: MNIST is not in" in done.stderr


def _without(name: str) -> Callable[[dict[str, np.ndarray], dict[str, Any]], None]:
    return lambda arrays, settings: settings["values"]["vae"].pop(name)


def _not_finite(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
    settings["values"]["vae"]["jump"] = float("nan")


def _foreign(arrays: dict[str, np.ndarray], settings: dict[str, Any]) -> None:
    arrays["tsne.vae"] = np.zeros((3, 2), np.float16)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [(_without("jump"), "settings that cannot be read"), (_not_finite, "not a finite"), (_foreign, "does not belong")],
)
def test_defects_are_told(
    change: Any, sentence: str, checkpoints: Path, experiment: Experiment, pair: ModelPair, measured: Evaluation
) -> None:
    folder = checkpoints / experiment.name
    rewrite(write_evaluation(folder, measured), change)
    with pytest.raises(CheckpointError, match=sentence) as told:
        read_evaluation(folder, pair)
    assert f"measure it again: python -m explorer measure {experiment.name}" in str(told.value)


def test_numbers_of_another_fit_are_not_shown(
    checkpoints: Path, experiment: Experiment, pair: ModelPair, measured: Evaluation
) -> None:
    folder = checkpoints / experiment.name
    write_evaluation(folder, measured)
    rewrite(folder / "vae.safetensors", lambda arrays, settings: settings.update(seconds=1.0))
    with pytest.raises(CheckpointError, match="is of other checkpoints than those that stand beside it"):
        read_evaluation(folder, pair)
    evaluation_path(folder).unlink()
    with pytest.raises(CheckpointError, match="is missing; restore it, or measure it"):
        read_evaluation(folder, pair)


def test_each_vae_has_numbers_of_its_own(
    checkpoints: Path, experiment: Experiment, pair: ModelPair, measured: Evaluation
) -> None:
    folder = checkpoints / experiment.name
    write_evaluation(folder, measured)
    shutil.copy(folder / "vae.safetensors", folder / "vae-beta-0.5.safetensors")
    rewrite(folder / "vae-beta-0.5.safetensors", lambda arrays, settings: settings["experiment"].update(beta=0.5))
    other = open_models(folder, beta=0.5)
    with pytest.raises(CheckpointError, match=r"measures-beta-0.5.safetensors is missing"):
        read_evaluation(folder, other)
    write_evaluation(folder, measured, 0.5)
    assert read_evaluation(folder, other).values == measured.values
    assert evaluation_path(folder).exists()


def test_unknown_experiment_is_one_sentence(fitted: Path) -> None:
    failed = run_command(app, "measure", "no-such-experiment", "--checkpoints", fitted)
    assert failed.exit_code == 1
    assert "is missing; restore it, or fit it" in failed.stderr
