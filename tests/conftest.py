"""What several tests share: a small fit, a server that shows it, a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from playwright.sync_api import Browser, Page, expect, sync_playwright

from training.checkpoint import MODEL_NAMES
from training.classifier import classifier_path, fit_classifier
from training.datasets import Data, load
from training.experiments import EXPERIMENTS, Experiment
from training.fit import fit
from training.folders import CHECKPOINTS_VARIABLE, DATA_VARIABLE

ROOT = Path(__file__).parent.parent
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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own, in a window as large as a beamer's; any error in its scripts fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(30_000)
    yield page
    context.close()
    assert errors == []
