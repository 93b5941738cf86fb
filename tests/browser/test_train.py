"""Train, in Chromium: a real fit is begun, watched, steered, killed and taken up again, stopped and kept."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import (
    CLOUDS,
    HeldWire,
    centre,
    expect_picture,
    in_chart,
    middle,
    pixel_of,
    seen,
    wait_until,
    wait_until_idle,
)
from tests.conftest import streamlit_server
from training import workers
from training.checkpoint import MODEL_NAMES, Checkpoint, check_pair, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment
from training.live import LiveFit, control, control_path, live_path
from training.own_dataset import OwnDataset, dataset_path, write_dataset
from training.workers import running

pytestmark = pytest.mark.browser

CLASSES = ("ring", "stroke", "swan")
NAME, TAKEN, NEXT_NAME = "shapes-2d", "shapes-3d", "shapes-3d-2"


@pytest.fixture
def data(digits: Data, tmp_path: Path) -> Path:
    """A data directory with images of one's own: of fewer classes than the map that is open has."""
    parts = (digits.train, digits.validation, digits.test)
    dataset = OwnDataset(
        images=np.concatenate([part.images.numpy() for part in parts]),
        labels=np.concatenate([part.labels.numpy() for part in parts]) % np.uint8(len(CLASSES)),
        split=np.repeat(np.arange(len(parts), dtype=np.uint8), [len(part) for part in parts]),
        classes=CLASSES,
        source="a test",
        conversion={},
    )
    folder = tmp_path / "data"
    folder.mkdir()
    write_dataset(dataset_path(folder, "shapes"), dataset)
    return folder


@pytest.fixture
def address(checkpoints: Path, data: Path) -> Iterator[str]:
    """A server of its own: what is fitted is in the list of all who use it."""
    with streamlit_server(checkpoints, data) as found:
        yield found
    for fit in running(checkpoints):  # of a test that failed
        if fit.lives and fit.live:
            os.kill(fit.live.progress.pid, signal.SIGKILL)


def open_form(page: Page, address: str) -> None:
    """Open the form on a server that has just begun."""
    page.goto(address)
    page.locator(".st-key-map_vae .map-overlay").wait_for(state="attached", timeout=120_000)
    wait_until_idle(page)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name).first


def live(checkpoints: Path, model_name: str = "vae") -> LiveFit:
    return LiveFit(live_path(checkpoint_path(checkpoints / NAME, model_name)))


def test_a_fit_is_watched_steered_killed_taken_up_again_and_kept_and_another_is_discarded(
    checkpoints: Path, data: Path, own_page: Page, address: str
) -> None:
    page, wire = own_page, HeldWire(own_page)
    settings = "experiment=digits-2d&tab=Train&data=shapes&network=own&widths=32&epochs=900&fit_seed=3"
    open_form(page, f"{address}/?{settings}")
    ranges = "return [chart._fullLayout.xaxis.range, chart._fullLayout.yaxis.range]"
    before = in_chart(page, "map_vae", ranges)
    button(page, "Start").click()
    for chart in ("map_autoencoder", "map_vae"):
        page.wait_for_selector(f".st-key-{chart} .filmed canvas.film-codes", state="attached", timeout=90_000)

    def map_holds_the_codes() -> None:
        codes = live(checkpoints).codes().code
        [left, right], [bottom, top] = in_chart(page, "map_vae", ranges)
        inside = (codes > (left, bottom)) & (codes < (right, top))
        assert inside.all(axis=1).mean() > 0.9

    wait_until(page, map_holds_the_codes)  # at first they spread faster than the map is told
    # The codes of the other model are out of sight.
    assert in_chart(page, "map_vae", f"return {CLOUDS}.length > 0")
    hidden = "return getComputedStyle(chart.querySelector('.gl-container')).visibility"
    assert in_chart(page, "map_vae", hidden) == "hidden"

    expect(page.get_by_role("group", name="Classes").get_by_role("button")).to_have_text(CLASSES)
    # Nothing else can be shown on the maps now.
    assert page.locator(".st-key-faces").get_attribute("inert") is not None
    # What an order comes to is told, though only a part of the page runs.
    (in_its_way := control_path(checkpoint_path(checkpoints / NAME, "vae"))).mkdir()
    button(page, "Pause").click()
    expect(page.get_by_text("The fit cannot be reached")).to_be_visible()
    in_its_way.rmdir()
    button(page, "Go on").click()  # the other model was reached
    expect(page.get_by_text("The fit cannot be reached")).to_have_count(0)
    button(page, "Pause").click()
    expect(page.get_by_text("paused")).to_have_count(2, timeout=60_000)
    page.wait_for_function("latentAtlases.has('map_vae/live')")
    network = live(checkpoints).load_network()
    # Under the mouse: the decode by the model as it stands.
    x, y = centre(page, "map_vae")
    page.mouse.move(*pixel_of(page, "map_vae", x, y))
    expect(page.locator('figure:has(img[data-name="pick-vae"]) figcaption')).to_contain_text("under the mouse")
    expected = network.decode(torch.tensor([[x, y]], dtype=torch.float32)).sigmoid()[0].detach().numpy()

    def picture_is_of_this_moment() -> None:  # the atlas may be of the moment before
        assert np.abs(seen(page, "pick-vae") - expected).mean() < 0.03

    wait_until(page, picture_is_of_this_moment)
    expect_picture(page, "pick-vae", expected, 0.15)

    beta = page.get_by_label("New beta", exact=True)
    # Another session moves one of the two: it is told here, and stays when the other one is moved here.
    for fit in running(checkpoints):
        control(fit.folder, fit.stem, learning_rate=0.001)
    button(page, "Go on").click()
    expect(page.get_by_text("In force: beta 1, rate 0.001.")).to_be_visible(timeout=60_000)
    beta.fill("20")
    beta.press("Enter")

    def both_are_in_force() -> None:
        assert live(checkpoints).progress[-3:-1] == (20, 0.001)

    wait_until(page, both_are_in_force)
    button(page, "Pause").click()
    expect(page.get_by_text("paused")).to_have_count(2, timeout=60_000)
    button(page, "Go on").click()
    expect(button(page, "Pause")).to_be_enabled()
    page.get_by_text("In force: ").evaluate("(element) => element.scrollIntoView({block: 'end'})")
    height = middle(button(page, "Stop and keep"))[1]
    for fit in running(checkpoints):
        assert fit.live is not None
        os.kill(fit.live.progress.pid, signal.SIGKILL)
    expect(page.get_by_text("AE and VAE stand still: ")).to_be_visible(timeout=60_000)
    with wire.busy():
        assert middle(button(page, "Stop and keep"))[1] == height  # no button moves away from under the mouse
        button(page, "Go on").click()
        expect(page.get_by_text("stand still: ")).to_have_count(0, timeout=90_000)
        for name in ("Pause", "Go on", "Stop and keep"):
            expect(page.get_by_role("button", name=name)).to_have_count(1)
    expect(button(page, "Stop and keep")).to_be_enabled()
    button(page, "Stop and keep").click()

    def both_are_kept() -> None:
        assert all(checkpoint_path(checkpoints / NAME, model_name).exists() for model_name in MODEL_NAMES)

    wait_until(page, both_are_kept)
    expect(page.get_by_text("is finished, an experiment like the others now")).to_be_visible(timeout=60_000)
    assert page.locator(".st-key-faces").get_attribute("inert") is None
    # The chart is as it was.
    assert in_chart(page, "map_vae", ranges) == pytest.approx(np.array(before), abs=1e-6)
    ae, vae = (Checkpoint(checkpoint_path(checkpoints / NAME, model_name)) for model_name in MODEL_NAMES)
    check_pair(ae, vae)
    button(page, "Look at it").click()
    expect(page.get_by_role("radio", name="Explore", exact=True)).to_be_checked()
    expect(page.get_by_label("Experiment", exact=True)).to_have_value(NAME)
    assert page.locator('[data-testid="stException"]').count() == 0
    discard_another(checkpoints, data, page, address)


def expect_axes(page: Page, name: str) -> None:
    """Until the axes of both maps are called so."""
    for chart in ("map_autoencoder", "map_vae"):
        plot = page.locator(f".st-key-{chart} .js-plotly-plot")
        for at in (1, 2):
            expect(plot.get_by_text(re.compile(rf"^(↑ )?{name} {at} \("))).to_have_count(1)


def discard_another(checkpoints: Path, data: Path, page: Page, address: str) -> None:
    """A fit that is discarded leaves nothing; its maps, of codes of three numbers, had axes of their own."""
    (checkpoints / TAKEN).mkdir()
    folders = set(checkpoints.iterdir())
    settings = "experiment=digits-2d&tab=Train&data=shapes&network=own&widths=16&epochs=900&latent_dim=3"
    open_form(page, f"{address}/?{settings}")
    button(page, "Start").dblclick()
    page.wait_for_selector(".st-key-map_vae .filmed", state="attached", timeout=90_000)
    assert {fit.folder.name for fit in running(checkpoints)} == {NEXT_NAME}
    expect_axes(page, "principal component")
    # Back and Forward: the window of the fit is no zoom of the user's.
    page.go_back()
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect_axes(page, "latent dimension")
    page.go_forward()
    page.wait_for_function(
        "() => { const axis = document.querySelector('.st-key-map_vae .js-plotly-plot')._fullLayout.xaxis;"
        "return document.querySelector('.st-key-map_vae .filmed') && axis.range[0] !== axis._rangeInitial0; }"
    )
    wait_until_idle(page)
    assert "zoom" not in page.url
    button(page, "Discard").click()
    button(page, "Discard it").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    expect(page.get_by_text("is under way")).to_have_count(0)

    def nothing_is_left() -> None:
        assert set(checkpoints.iterdir()) == folders

    wait_until(page, nothing_is_left)
    expect(page.get_by_text("Fits under way:")).to_have_count(0)
    # The page hears of what others begin and end, too.
    others = Experiment(name="of-others", title="of others", dataset="shapes", hidden_layers=(16,), epochs=900)
    workers.start(others, data, checkpoints)
    expect(page.get_by_text("Fits under way:")).to_be_visible()
    for fit in running(checkpoints):
        workers.discard(fit.folder, fit.stem)
    expect(page.get_by_text("Fits under way:")).to_have_count(0)
