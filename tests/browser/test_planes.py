"""Maps of more than two dimensions, in a real Chromium: what is decoded is what the clicked place stands for."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from explorer import latent
from explorer.evaluation import evaluate_pair, read_evaluation, write_evaluation
from explorer.models import Model, ModelPair, open_models
from tests.browser.conftest import expect_picture, open_map, pixel_of, point_at, wait_for_input
from tests.conftest import CPU, streamlit_server
from training.checkpoint import MODEL_NAMES
from training.classifier import load_classifier
from training.datasets import Data
from training.experiments import Experiment
from training.fit import fit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(fitted: Path, experiment: Experiment, digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints with a measured experiment of four dimensions, whose folder is given."""
    checkpoints = shutil.copytree(fitted, tmp_path_factory.mktemp("planes") / "checkpoints")
    deep = replace(experiment, name="digits-4d", latent_dim=4, epochs=2)
    for model in MODEL_NAMES:
        fit(deep, model, digits, checkpoints / deep.name, device=CPU)
    pair = open_models(checkpoints / deep.name)
    write_evaluation(
        checkpoints / deep.name, evaluate_pair(pair, load_classifier(fitted, "digits")[0], lambda told: None)
    )
    return checkpoints / deep.name


@pytest.fixture(scope="module")
def pair(folder: Path) -> ModelPair:
    return open_models(folder)


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    with streamlit_server(folder.parent, data_dir=folder / "no-data") as address:
        yield f"{address}/?experiment={folder.name}"


def decode(model: Model, z: np.ndarray) -> np.ndarray:
    network = model.checkpoint.load_network()
    return network.decode(torch.tensor(z[None], dtype=torch.float32)).sigmoid()[0].numpy()


def pick_beside_code(page: Page, chart: str, x: float, y: float) -> tuple[float, float]:
    """Click a little beside a place; gives the place that was clicked."""
    left, top = (round(edge) + 3 for edge in pixel_of(page, chart, x, y))
    place = point_at(page, chart, left, top)
    page.mouse.click(left, top)
    page.mouse.move(5, 5)
    return place


@pytest.mark.parametrize("plane", ["principal plane", "two dimensions&rightwards=2&upwards=4"])
def test_click_on_a_plane_is_lifted_into_latent_space(plane: str, page: Page, served: str, pair: ModelPair) -> None:
    open_map(page, f"{served}&plane={plane}")
    # On a server just started, too, where an overlay only asked whether the map is drawn.
    expect(page.locator(".st-key-map_vae .map-overlay")).to_have_count(1)
    expect(page.locator(".map-answer")).to_have_count(2)
    code = pair.vae.codes.code
    expected = latent.principal_plane(code) if "principal" in plane else latent.dimensions_plane(code, 1, 3)
    place = pick_beside_code(page, "map_vae", *expected.project(code[:1])[0].tolist())
    wait_for_input(page, "VAE pick, x", round(place[0], 3))
    expect(page.locator("img[data-name=pick-vae]")).to_have_attribute("alt", f"VAE: decode of {_named(place)}")
    expect_picture(page, "pick-vae", decode(pair.vae, expected.lift([place])[0]), 0.01)


def test_click_on_t_sne_picks_the_nearest_code_and_the_text_says_why(
    page: Page, served: str, folder: Path, pair: ModelPair
) -> None:
    open_map(page, f"{served}&plane=t-SNE, to look at only")
    expect(page.get_by_text("a click picks the nearest code")).to_be_visible()
    places = read_evaluation(folder, pair).tsne["vae"].astype(float)
    clicked = pick_beside_code(page, "map_vae", *places[7].tolist())
    nearest = int(np.linalg.norm(places - clicked, axis=1).argmin())
    wait_for_input(page, "VAE pick, x", round(float(places[nearest, 0]), 3))
    wait_for_input(page, "Ringed test image", nearest)
    expected = decode(pair.vae, pair.vae.codes.code[nearest])
    expect_picture(page, "pick-vae", expected, 0.01)
    expect(page.locator("canvas.lens")).to_have_count(0)  # between codes there is nothing to look at


def _named(place: tuple[float, float]) -> str:
    return f"({place[0]:.3g}, {place[1]:.3g})".replace("-", "−")
