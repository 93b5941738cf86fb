"""A fit that is begun from the page: seconds to the first picture of it, pictures a second, classes told apart.

The baseline of the first picture is the fit that nothing was prepared for. The page prepares the process of a fit while
its form is filled in. That of the classes, told apart by a vote of a code's ten nearest, is the same fit at its end.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from explorer import metrics
from explorer.views.train import NETWORKS, RATE_WARMUP
from training import workers
from training.checkpoint import MODEL_NAMES, Checkpoint, checkpoint_path
from training.experiments import EXPERIMENTS, Experiment
from training.folders import data_dir
from training.live import live_path, open_live

EXPERIMENT = replace(
    EXPERIMENTS["mnist-2d"], name="benchmark-fit", hidden_layers=(400,), batch_size=128, epochs=100_000
)
STARTS = 3
PREPARED_FOR = 10.0  # seconds: a form is filled in no faster by who reads it
POLL = 0.01
WITHIN = 300.0
NEIGHBOURS = 10
CLUSTERS_AFTER = 30.0  # seconds from the start


def main() -> None:
    """Print seconds to the first picture, not prepared and prepared, pictures a second, and classes told apart."""
    unprepared = _first_pictures()
    prepared = _first_pictures(PREPARED_FOR)
    for how, seconds in (("nothing prepared", unprepared), ("prepared", prepared)):
        print(f"start to the first picture, {how}: {_median(seconds)}")
    ratio = statistics.median(prepared) / statistics.median(unprepared)
    print(f"prepared, it takes {ratio:.2f} of the time; asked are at most 5 s")
    with tempfile.TemporaryDirectory() as folder, fit_under_way(Path(folder)):
        for model_name, rate in _rates(Path(folder)).items():
            print(f"pictures a second in the first epoch, {model_name}: {rate:.1f}; asked are at least 2")
    with tempfile.TemporaryDirectory() as folder:
        _tell_clusters(Path(folder))


@contextmanager
def fit_under_way(checkpoints: Path, experiment: Experiment | None = None) -> Iterator[None]:
    """Fit 784-400-2 to MNIST, both models, from their first pictures on; what has not ended is discarded."""
    experiment = experiment or EXPERIMENT
    folder = checkpoints / experiment.name
    paths = [checkpoint_path(folder, model_name) for model_name in MODEL_NAMES]
    workers.start(experiment, data_dir(), checkpoints)
    try:
        _wait(lambda: all(map(open_live, paths)))
        yield
    finally:
        for model_name, path in zip(MODEL_NAMES, paths, strict=True):
            if not path.exists():
                workers.discard(folder, model_name)
        _wait(lambda: not folder.exists() or all(path.exists() for path in paths))


def _tell_clusters(checkpoints: Path) -> None:
    """Print the share of codes that neighbours tell right, early and at the end, of a fit as the page begins it."""
    preset = NETWORKS["small"]
    experiment = replace(EXPERIMENT, epochs=preset.epochs, learning_rate=preset.learning_rate, rate_warmup=RATE_WARMUP)
    paths = {name: checkpoint_path(checkpoints / experiment.name, name) for name in MODEL_NAMES}
    early = {}
    workers.prepare()
    time.sleep(PREPARED_FOR)
    started = time.perf_counter()
    with fit_under_way(checkpoints, experiment):
        time.sleep(max(0.0, started + CLUSTERS_AFTER - time.perf_counter()))
        for name, path in paths.items():
            live = open_live(path)
            if live is None:
                raise TimeoutError(f"the fit of the {name} has ended within {CLUSTERS_AFTER:.0f} s")
            early[name] = live.progress.update, _vote(live.codes().code, live.codes().labels)
        _wait(lambda: all(path.exists() for path in paths.values()))
    for name, (update, share) in early.items():
        found = Checkpoint(paths[name]).snapshots()
        end = _vote(found.code[-1], found.labels)
        print(
            f"codes told right by their neighbours, {name}: {share:.1%} after {CLUSTERS_AFTER:.0f} s "
            f"({update:,} updates), {end:.1%} at the end ({found.update[-1]:,}); ratio {share / end:.2f}"
        )


def _vote(code: NDArray[Any], labels: NDArray[Any]) -> float:
    _, indices = metrics.neighbours(code, NEIGHBOURS)
    return metrics.knn_accuracy(indices, labels, int(labels.max()) + 1)


def _first_pictures(prepared_for: float | None = None) -> list[float]:
    """Return seconds from the start of a fit to the first pictures of both models, of each start."""
    times = []
    for _ in range(STARTS):
        if prepared_for is not None:
            workers.prepare()
            time.sleep(prepared_for)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            with fit_under_way(Path(folder)):
                times.append(time.perf_counter() - started)
    return times


def _rates(checkpoints: Path) -> dict[str, float]:
    """Return pictures a second from now to the end of the first epoch, by model."""
    paths = {name: checkpoint_path(checkpoints / EXPERIMENT.name, name) for name in MODEL_NAMES}
    seen: dict[str, list[float]] = {name: [] for name in MODEL_NAMES}
    files = dict.fromkeys(MODEL_NAMES, 0)
    going_on = set(MODEL_NAMES)
    while going_on:
        time.sleep(POLL)
        for name in list(going_on):
            file = live_path(paths[name]).stat().st_ino  # a picture is a new file; the heartbeat only touches it
            if file == files[name]:
                continue
            files[name] = file
            seen[name].append(time.perf_counter())
            if len(seen[name]) > 1 and (live := open_live(paths[name])) is not None and live.epoch >= 1:
                going_on.remove(name)
    return {name: (len(times) - 1) / (times[-1] - times[0]) for name, times in seen.items()}


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the fit has not begun, or not ended, within {WITHIN:.0f} s")
        time.sleep(POLL)


def _median(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s at the median of {len(seconds)}, {min(seconds):.2f} s at least"
