"""What several tests share: a small fit, a server that shows it, a browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

# Several tests run at once: threads of one would only wait for another's. Before torch is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect, sync_playwright
from safetensors import safe_open
from safetensors.numpy import save_file
from typer import Typer
from typer.testing import CliRunner, Result

from explorer.measures import measure, write_measures
from explorer.twins import open_twins
from training.checkpoint import MODEL_NAMES, checkpoint_path
from training.classifier import classifier_path, fit_classifier, load_classifier
from training.datasets import Data, load
from training.experiments import EXPERIMENTS, Experiment
from training.fit import fit
from training.folders import CHECKPOINTS_VARIABLE, DATA_VARIABLE

ROOT = Path(__file__).parent.parent
Arrays = dict[str, np.ndarray]
CPU = torch.device("cpu")

expect.set_options(timeout=30_000)  # a busy two-core machine
NO_BROWSER = (
    "no Chromium found, so nothing is tested in a browser: `apt install chromium`, or `playwright install chromium`"
)


def cannot_run(reason: str) -> NoReturn:
    """Skip with a sentence; where nothing may be skipped, as in CI, fail with it."""
    if os.environ.get("SKIP_NOTHING"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def digits() -> Data:
    """scikit-learn's bundled digits: small and real."""
    return load("digits", Path("/nowhere"))


@pytest.fixture(scope="session")
def recipe() -> Experiment:
    """`digits-2d`, a few epochs of it."""
    return replace(EXPERIMENTS["digits-2d"], hidden_layers=(64, 32), epochs=4)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory, digits: Data, recipe: Experiment) -> Path:
    """A folder of checkpoints with one small fitted experiment and a classifier, not to be changed."""
    checkpoints = tmp_path_factory.mktemp("checkpoints")
    for model in MODEL_NAMES:
        fit(recipe, model, digits, checkpoints / recipe.name, device=CPU)
    fit_classifier("digits", digits, classifier_path(checkpoints, "digits"), updates=120)
    return checkpoints


@pytest.fixture
def checkpoints(fitted: Path, tmp_path: Path) -> Path:
    """A copy of `fitted` that a test may spoil."""
    return shutil.copytree(fitted, tmp_path / "checkpoints")


def rewrite(path: Path, change: Callable[[Arrays, dict[str, Any]], None]) -> None:
    """Change a checkpoint's arrays and settings in place, its form kept."""
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        settings = json.loads(file.metadata()["settings"])
    change(arrays, settings)
    save_file(arrays, path, metadata={"settings": json.dumps(settings)})


def run_command(app: Typer, *arguments: str | int | Path, **environment: str) -> Result:
    """A command line of the project in this process, where torch is loaded already; any traceback fails the test."""
    done = CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "300"} | environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@contextmanager
def streamlit_server(checkpoints: Path, data_dir: Path) -> Iterator[str]:
    """The real app as a process of its own; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py")]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"]
    environment = os.environ | {CHECKPOINTS_VARIABLE: str(checkpoints), DATA_VARIABLE: str(data_dir)}
    with subprocess.Popen([*command, *options], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            address = f"http://localhost:{port}"
            _wait_for(f"{address}/_stcore/health")
            yield address
        finally:
            process.terminate()


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.1)  # not up yet
        else:
            return
    raise TimeoutError(f"{address} does not answer")


@pytest.fixture(scope="session")
def served(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a fitted experiment, on one whose images are not there, and on a broken one."""
    checkpoints = shutil.copytree(fitted, tmp_path_factory.mktemp("served") / "checkpoints")
    shutil.copytree(fitted / "digits-2d", checkpoints / "no-images")
    for model in MODEL_NAMES:
        rewrite(checkpoint_path(checkpoints / "no-images", model), lambda a, s: s["experiment"].update(dataset="mnist"))
    twins = open_twins(checkpoints / "digits-2d")
    write_measures(checkpoints / "digits-2d", measure(twins, load_classifier(fitted, "digits")[0], lambda told: None))
    (checkpoints / "broken").mkdir()
    (checkpoints / "broken" / "autoencoder.safetensors").write_bytes(b"nonsense")
    with streamlit_server(checkpoints, data_dir=checkpoints / "no-data") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: Debian's, or Playwright's own."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        own = Path(playwright.chromium.executable_path)
        if not found and not own.exists():
            cannot_run(NO_BROWSER)
        # Root (a container) needs --no-sandbox; nothing is opened but the app itself.
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        chromium = playwright.chromium.launch(executable_path=found or own, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Page]:
    """A page for many tests: scripts that it has compiled once, it opens in half the time and half the work."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture(scope="session")
def touch_tab(browser: Browser) -> Iterator[Page]:
    """`tab` with a touch screen."""
    with browser.new_context(has_touch=True) as context:
        yield context.new_page()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A page, in a window as large as a beamer's; any error in its scripts fails the test."""
    with watched(tab) as page:
        yield page


@pytest.fixture
def touch_page(touch_tab: Page) -> Iterator[Page]:
    """A tablet's `page`."""
    with watched(touch_tab) as page:
        yield page


@pytest.fixture
def own_page(browser: Browser) -> Iterator[Page]:
    """A `page` that no other test sees: what is put into its scripts does not go away."""
    with browser.new_context() as context, watched(context.new_page()) as page:
        yield page


@contextmanager
def watched(page: Page) -> Iterator[Page]:
    """A page as if newly opened, and empty again afterwards; any error in its scripts fails the test."""
    errors: list[str] = []

    def note(error: Exception) -> None:
        errors.append(str(error))

    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")
    page.set_default_timeout(30_000)
    page.on("pageerror", note)
    yield page
    page.remove_listener("pageerror", note)
    if page.url.startswith("http"):
        page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.mouse.move(0, 0)
    assert errors == []
