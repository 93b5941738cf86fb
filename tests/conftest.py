"""What all tests share: a small fit, its classifier, a server that shows it, command lines."""

import itertools
import json
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

# Several tests run at once: threads of one would only wait for another's. Before torch is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import psutil
import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.numpy import save_file
from torch.distributions import Bernoulli, Normal
from typer import Typer
from typer.testing import CliRunner, Result

from explorer import evaluation
from explorer.models import open_models
from explorer.posterior import Decoder
from explorer.wall import WALL_VARIABLE
from training.checkpoint import MODEL_NAMES, checkpoint_path
from training.classifier import classifier_path, fit_classifier, load_classifier
from training.datasets import Data, load
from training.experiments import EXPERIMENTS, Experiment
from training.fit import fit
from training.folders import CHECKPOINTS_VARIABLE, DATA_VARIABLE
from training.own_dataset import OwnDataset, dataset_path, write_dataset

hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")

ROOT = Path(__file__).parent.parent
RUN_FOLDER = "LATENT_TEST_RUN"
TABS = (
    "Explore",
    "Interpolate",
    "Draw",
    "Wall",
    "Traverse",
    "Generate",
    "Reconstruct",
    "Posterior",
    "Training curves",
    "Train",
    "Beta",
    "Compare",
    "Learn",
)

# The classes of `own`. Twelve have images; some names want to be more than text.
OWN_NAMES = ("Boot", "T-shirt/top", "<img src=x>", "*Bag*", "a very long name indeed", "[x](y)", *"FGHIJK", "nothing")

Arrays = dict[str, np.ndarray]
CPU = torch.device("cpu")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a folder, which its workers share; and let Ctrl-C be heard."""
    # A shell starts what runs in its background with SIGINT ignored, which all processes that are started from there
    # inherit: tests that send it to one would wait for ever.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ[RUN_FOLDER] = tempfile.mkdtemp(prefix="latent-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the workers have started, even where they did not come to their own end."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(os.environ.pop(RUN_FOLDER))
    for pid in folder.glob("*/pid"):
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)
    for process in psutil.process_iter():  # fits of a test that has failed would go on for days
        with suppress(psutil.Error):
            if process.environ().get(RUN_FOLDER) == str(folder) and "training.workers" in process.cmdline():
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder that is made once a run, by the worker that needs it first."""
    folder = Path(os.environ[RUN_FOLDER]) / name
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            make(folder)
            done.touch()
    return folder


_main = sys.modules["__main__"]


@pytest.fixture(scope="module", autouse=True)
def own_main() -> None:
    """Put the program's main module back, which `AppTest` replaces by the app: a spawned process would import that."""
    sys.modules["__main__"] = _main


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
def experiment() -> Experiment:
    """`digits-2d`, a few epochs of it."""
    return replace(EXPERIMENTS["digits-2d"], hidden_layers=(64, 32), epochs=4)


@pytest.fixture(scope="session")
def fitted(digits: Data, experiment: Experiment) -> Path:
    """A folder of checkpoints with one small fitted experiment and a classifier, not to be changed."""

    def make(checkpoints: Path) -> None:
        for model in MODEL_NAMES:
            fit(experiment, model, digits, checkpoints / experiment.name, device=CPU)
        fit_classifier("digits", digits, classifier_path(checkpoints, "digits"), updates=120)

    return once("checkpoints", make)


@pytest.fixture(scope="session")
def own(digits: Data, experiment: Experiment) -> Path:
    """A folder of checkpoints with an experiment whose classes are no digits, and its `data`; not to be changed."""

    def make(folder: Path) -> None:
        parts = [
            (part.images[:n].numpy(), part.labels[:n].numpy()) for part, n in ((digits.train, 400), (digits.test, 120))
        ]
        images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
        labels = np.where((labels < 2) & (np.arange(len(labels)) % 2 == 0), labels + 10, labels).astype(np.uint8)
        split = np.repeat(np.array([0, 1, 2], np.uint8), [350, 50, 120])
        (folder / "data").mkdir(parents=True)
        dataset = OwnDataset(
            images=images, labels=labels, split=split, classes=OWN_NAMES, source="a test", conversion={}
        )
        write_dataset(dataset_path(folder / "data", "own"), dataset)
        data = load("own", folder / "data")
        small = replace(experiment, name="own-2d", title="Own", dataset="own", epochs=3)
        for model in MODEL_NAMES:
            fit(small, model, data, folder / small.name, device=CPU)
        fit_classifier("own", data, classifier_path(folder, "own"), updates=30)
        classifier, _ = load_classifier(folder, "own")
        pair = open_models(folder / small.name)
        evaluation.write_evaluation(folder / small.name, evaluation.evaluate_pair(pair, classifier, lambda told: None))
        shutil.copy(ROOT / "checkpoints" / "latent-sizes.sweep.safetensors", folder)

    return once("own", make)


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


def hide(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take from this process the right to search a folder, and to look at what is in it: root cannot lose it."""
    stat, access = Path.stat, os.access

    def refuse(path: Path, **options: Any) -> os.stat_result:
        if path.parent == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(
        os, "access", lambda path, mode: access(path, mode) and not (Path(path) == folder and mode & os.X_OK)
    )


def call_mnist(checkpoints: Path, experiment: Experiment) -> Path:
    """Say that an experiment of digits, and what reads them, are of MNIST, whose images need not be there."""
    for model in MODEL_NAMES:
        rewrite(
            checkpoint_path(checkpoints / experiment.name, model), lambda a, s: s["experiment"].update(dataset="mnist")
        )
    classifier_path(checkpoints, "digits").rename(classifier_path(checkpoints, "mnist"))
    rewrite(classifier_path(checkpoints, "mnist"), lambda arrays, settings: settings.update(dataset="mnist"))
    return checkpoints


def run_command(app: Typer, *arguments: str | int | Path, **environment: str) -> Result:
    """A command line of the project in this process, where torch is loaded already; any traceback fails the test."""
    done = CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "300"} | environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@contextmanager
def streamlit_server(checkpoints: Path, data_dir: Path) -> Iterator[str]:
    """The real app as a process of its own; gives its address."""
    process, address = start_server(checkpoints, data_dir)
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port of this computer at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_server(checkpoints: Path, data_dir: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """Start the real app, and wait until it answers at the address that is given."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py")]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"]
    wall = Path(os.environ[RUN_FOLDER]) / f"wall-{port}.sqlite3"
    folders = {CHECKPOINTS_VARIABLE: str(checkpoints), DATA_VARIABLE: str(data_dir), WALL_VARIABLE: str(wall)}
    environment = os.environ | folders
    process = subprocess.Popen([*command, *options], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://localhost:{port}"
    _wait_for(f"{address}/_stcore/health")
    return process, address


def shared_server(name: str, checkpoints: Path, data_dir: Path) -> str:
    """The address of a server that all workers share; it ends with the run."""

    def make(folder: Path) -> None:
        folder.mkdir()
        process, address = start_server(checkpoints, data_dir)
        (folder / "pid").write_text(str(process.pid))
        (folder / "address").write_text(address)

    return (once(name, make) / "address").read_text()


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.1)  # not up yet
        else:
            return
    raise TimeoutError(f"{address} does not answer")


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The largest correlation of two forms up to a pixel's shift: a centre of mass may be rounded either way."""
    shifts = itertools.product((-1, 0, 1), repeat=2)
    return max(float(np.corrcoef(np.roll(one, shift, (0, 1)).ravel(), other.ravel())[0, 1]) for shift in shifts)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, and has next to no content."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def brute_force(decode: Decoder, image: np.ndarray, side: int, reach: float = 6.0) -> tuple[torch.Tensor, torch.Tensor]:
    """The plane's points, (side^2, 2), and `log p(x, z)` there plus the log of a cell's area."""
    axis = torch.linspace(-reach, reach, side, dtype=torch.float64)
    plane = torch.cartesian_prod(axis, axis)
    pixels = torch.as_tensor(image).double()
    parts = [torch.as_tensor(decode(part.numpy())).double() for part in plane.split(2_000)]  # they fit into the cache
    joint = torch.cat([Bernoulli(logits=part, validate_args=False).log_prob(pixels).sum(1) for part in parts])
    joint += Normal(0.0, 1.0).log_prob(plane).sum(1)
    return plane, joint + 2 * math.log(float(axis[1] - axis[0]))
