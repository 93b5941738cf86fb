"""The checkpoints that come with the project: whole, small, and as good as README says."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.atlas import interpolate, read_atlas, unpack
from explorer.evaluation import read_evaluation
from explorer.maps import Map
from explorer.models import open_models
from explorer.sweeps import latent_sizes
from tests.conftest import ROOT, run_command
from training.__main__ import app
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path, other_betas
from training.classifier import accuracy, load_classifier
from training.datasets import load
from training.experiments import EXPERIMENTS
from training.folders import data_dir
from training.sweep import BETAS as SWEPT_BETAS
from training.sweep import LATENT_SIZES
from training.sweep_table import kept_path, read_table, table_path

CHECKPOINTS = ROOT / "checkpoints"


DATASETS = ("mnist", "fashion-mnist", "digits")
SHIPPED = ("mnist-2d", "mnist-14px-8d", "mnist-32d", "mnist-conv-2d", "fashion-mnist-2d", "digits-2d")


BETAS = (0.1, 0.5, 2.0, 5.0, 40.0)  # of the VAEs beside mnist-2d's own


COLLAPSED = 40.0


# The models of an experiment, by the beta of the VAE; None: its own.
ALL = [(experiment, None) for experiment in SHIPPED] + [("mnist-2d", beta) for beta in BETAS]


REACHED = {"mnist-2d": -130, "mnist-14px-8d": -31.9, "mnist-32d": -91}  # ELBO on the test images, at least


@pytest.mark.parametrize("experiment", SHIPPED)
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_each_is_whole_and_of_its_recipe(experiment: str, model: str) -> None:
    checkpoint = Checkpoint(checkpoint_path(CHECKPOINTS / experiment, model))
    checkpoint.codes(), checkpoint.history(), checkpoint.snapshots(), checkpoint.load_network()
    assert checkpoint.experiment == EXPERIMENTS[experiment]


@pytest.mark.parametrize("beta", BETAS)
def test_each_beta_differs_from_its_recipe_in_beta_only(beta: float) -> None:
    checkpoint = Checkpoint(checkpoint_path(CHECKPOINTS / "mnist-2d", "vae", beta))
    history = checkpoint.history()
    checkpoint.codes(), checkpoint.snapshots(), checkpoint.load_network()
    assert checkpoint.experiment == replace(EXPERIMENTS["mnist-2d"], beta=beta)
    assert history["training"].update[-1] == 240 * 215
    kl = history["validation"].kl
    assert kl is not None
    assert (kl[-1] < 0.1) == (beta == COLLAPSED)


def test_a_larger_beta_lets_the_codes_say_less() -> None:
    assert other_betas(CHECKPOINTS / "mnist-2d") == list(BETAS)
    kls = [
        Checkpoint(checkpoint_path(CHECKPOINTS / "mnist-2d", "vae", beta)).test["kl"]
        for beta in (0.1, 0.5, None, 2.0, 5.0, 40.0)
    ]
    assert kls == sorted(kls, reverse=True)


def test_all_that_comes_along_is_small() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "data", "checkpoints"], cwd=ROOT, capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(files) > 20
    assert sum(file.stat().st_size for file in files) < 85e6


def test_checkpoints_are_small() -> None:
    files = (file for file in CHECKPOINTS.rglob("*") if file.is_file() and file.parent.name != ".slots")
    sizes = {file: file.stat().st_size for file in files}
    assert sum(sizes.values()) < 65e6
    pair = [sizes[checkpoint_path(CHECKPOINTS / "mnist-2d", model)] for model in MODEL_NAMES]
    assert sum(pair) < 12e6
    assert {file.parent.name for file in sizes if file.parent != CHECKPOINTS} == set(SHIPPED)
    classifiers = {f"{dataset}.classifier.safetensors" for dataset in DATASETS}
    of_no_experiment = {"latent-sizes.sweep.safetensors", "betas.sweep.safetensors"} | classifiers
    assert {file.name for file in sizes if file.parent == CHECKPOINTS} == of_no_experiment
    assert all(sizes[CHECKPOINTS / name] < 1e6 for name in of_no_experiment)


def test_readme_tells_what_the_checkpoints_say() -> None:
    readme = (ROOT / "README.md").read_text()
    for experiment in SHIPPED:
        vae, ae = (Checkpoint(checkpoint_path(CHECKPOINTS / experiment, m)).test for m in ("vae", "autoencoder"))
        figures = [vae["elbo"], vae["reconstruction"], vae["kl"], ae["reconstruction"]]
        assert " | ".join(f"{figure:.2f}".replace("-", "−") for figure in figures) in readme
    for beta in (0.1, 0.5, None, 2.0, 5.0, 40.0):
        vae = Checkpoint(checkpoint_path(CHECKPOINTS / "mnist-2d", "vae", beta)).test
        figures = [vae[term] for term in ("reconstruction", "kl", "elbo")]
        row = " | ".join(f"{figure:.2f}".replace("-", "−") for figure in figures)
        assert f"| {1 if beta is None else beta:g} | {row} |" in readme


@pytest.mark.parametrize(("experiment", "beta"), ALL)
def test_its_numbers_were_measured(experiment: str, beta: float | None) -> None:
    pair = open_models(CHECKPOINTS / experiment, beta=beta)
    measured = read_evaluation(CHECKPOINTS / experiment, pair)
    for model in pair:
        assert measured.values[model.name]["reconstruction"] == model.checkpoint.test["reconstruction"]
    assert set(measured.tsne) == (set(MODEL_NAMES) if pair.latent_dim > 2 else set())
    if pair.latent_dim == 2:  # log p(x) on a grid is that of importance sampling
        of_vae = measured.values["vae"]
        difference = of_vae["evidence"] - of_vae["evidence_weighted"]
        assert abs(difference) < 2.5 * of_vae["evidence_weighted_error"]


@pytest.mark.parametrize("experiment", SHIPPED)
def test_the_decodes_under_the_mouse_come_along_and_are_right(experiment: str) -> None:
    for map_ in map(Map, open_models(CHECKPOINTS / experiment)):
        for window in dict.fromkeys([map_.window, map_.crowd]):
            atlas = read_atlas(map_, window)
            assert atlas is not None
            assert len(atlas.image) < 1.5e6
            shares = np.random.default_rng(1).uniform(size=(600, 2))
            exact = map_.decode((window.left, window.top) + shares * (window.side, -window.side))
            error = np.abs(interpolate(unpack(atlas.image, atlas.side), shares) - exact)
            # Outside of the crowd, which has an atlas of its own, a map may be too wide for the largest atlas.
            tolerance = 2.5 if window == map_.window != map_.crowd else 1
            assert error.mean() < tolerance * 0.0022
            assert np.quantile(error, 0.99) < tolerance * 0.02


@pytest.mark.parametrize("dataset", DATASETS)
def test_classifiers_read_their_test_images(dataset: str) -> None:
    classifier, told = load_classifier(CHECKPOINTS, dataset)
    read = accuracy(classifier, load(dataset, data_dir(), download=False).test)
    assert read == pytest.approx(told, abs=1e-3)
    if dataset == "mnist":
        assert read["grey"] > 0.98
        assert read["binarised"] > 0.98


def test_readme_tells_what_the_study_and_the_classifier_say() -> None:
    readme = (ROOT / "README.md").read_text()
    sizes = latent_sizes(read_table(table_path(CHECKPOINTS, "latent-sizes")))
    assert tuple(size.latent_dim for size in sizes) == LATENT_SIZES.latent_dims
    for size in sizes:
        figures = [split["autoencoder"].reconstruction for split in (size.training, size.test)]
        figures += [
            getattr(split["vae"], term)
            for split in (size.training, size.test)
            for term in ("reconstruction", "kl", "elbo")
        ]
        told = [f"{figure:.2f}".replace("-", "−") for figure in figures]
        assert f"| {size.latent_dim} | {' | '.join(told)} | {size.active} |" in readme
    _, read = load_classifier(CHECKPOINTS, "mnist")
    assert f"{100 * read['grey']:.2f} % of the grey test images, {100 * read['binarised']:.2f} % binarised" in readme


def test_table_of_betas_says_what_the_checkpoints_say() -> None:
    table = read_table(table_path(CHECKPOINTS, SWEPT_BETAS.name))
    assert [row.point for row in table.rows] == sorted(SWEPT_BETAS.points())
    for row in table.rows:
        kept = Checkpoint(kept_path(CHECKPOINTS, table.experiment, row.point))
        assert (row.test.reconstruction, row.test.kl) == (kept.test["reconstruction"], kept.test.get("kl", 0.0))
        assert kept.dataset.fingerprint == table.fingerprint


@pytest.mark.parametrize("experiment", REACHED)
def test_it_reaches_its_elbo_on_the_test_images(experiment: str, tmp_path: Path) -> None:
    # With the VAE of one other beta: each takes five seconds.
    models = {*MODEL_NAMES} | ({"vae-beta-0.1"} if experiment == "mnist-2d" else set())
    (tmp_path / experiment).mkdir()
    for model in models:
        (tmp_path / experiment / f"{model}.safetensors").symlink_to(CHECKPOINTS / experiment / f"{model}.safetensors")
    arguments = ("evaluate", experiment, "--json", "--device", "cpu", "--checkpoints", tmp_path)
    told = json.loads(run_command(app, *arguments).stdout)
    assert told["images"] == 10_000
    assert told["vae"]["elbo"] > REACHED[experiment]
    assert told.keys() == models | {"experiment", "seed", "images"}
    for model in models:
        stated = Checkpoint(CHECKPOINTS / experiment / f"{model}.safetensors").test
        assert told[model] == pytest.approx(stated, rel=1e-5)
