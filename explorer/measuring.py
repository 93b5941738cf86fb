"""Measuring an experiment: its numbers, the atlases of its maps, and the classifier that reads its images.

`python -m explorer measure` does it for the command line. The page has it done in a process beside the server,
`python -m explorer.measuring FOLDER`, which says on its standard output how far it is: a line of JSON a step.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from explorer.atlas import write_atlases
from explorer.evaluation import Evaluation, check_classifier, evaluate_pair, write_evaluation
from explorer.maps import Map
from explorer.models import ModelPair, open_models
from training.array_file import CheckpointError, file_version
from training.checkpoint import MODEL_NAMES, checkpoint_path, other_betas
from training.folders import data_dir

if TYPE_CHECKING:
    from training.classifier import Classifier
    from training.datasets import Split

__all__ = ["Measured", "Measuring", "measure", "measuring", "start"]

NICENESS = 10  # of the process beside the server: clicks come first
_PROJECT = Path(__file__).parent.parent


class Measured(NamedTuple):
    """An experiment with one of its VAEs, measured."""

    pair: ModelPair
    evaluation: Evaluation
    path: Path  # of the evaluation
    lacking: str  # what was left out, and why, as a sentence; empty: nothing


def measure(folder: Path, progress: Callable[[float, str], None]) -> list[Measured]:
    """Measure an experiment with each of its VAEs, and write what was found beside its checkpoints.

    Where its data set has no classifier, one is fitted first.

    Args:
        folder: the experiment's.
        progress: called with the share of the work that is done, in [0, 1], and what comes next.

    Raises:
        CheckpointError: a checkpoint or the classifier cannot be used.
        DataError: a classifier is to be fitted, and the images are not at hand.
        OSError: something could not be written; what stood there is unharmed.
    """
    betas = (None, *other_betas(folder))
    pairs = [open_models(folder, beta=beta) for beta in betas]
    classifier = _classifier(pairs[0], lambda share: progress(share / (1 + len(betas)), "fitting the classifier"))
    measured = []
    for number, (beta, pair) in enumerate(zip(betas, pairs, strict=True)):
        test, lacking = _test_images(pair)
        steps = len(list(pair)) * (4 + (pair.latent_dim > 2) + (test is not None))
        steps += test is not None and pair.latent_dim == 2 and pair.find("vae") is not None
        done = 0

        def step(label: str, number: int = number, steps: int = steps) -> None:
            nonlocal done
            progress((1 + number + done / steps) / (1 + len(betas)), label)
            done += 1

        evaluation = evaluate_pair(pair, classifier, step, test)
        for model in pair if beta is None else ():  # of other VAEs they are made anew: each takes room, and a second
            step(f"{model.name}: decodes")
            write_atlases(Map(model))
        measured.append(Measured(pair, evaluation, write_evaluation(folder, evaluation, beta), lacking))
    return measured


def _classifier(pair: ModelPair, progress: Callable[[float], None]) -> "Classifier":
    from training import datasets
    from training.classifier import classifier_path, fit_classifier, load_classifier

    dataset, checkpoints = pair.experiment.dataset, pair.folder.parent
    path = classifier_path(checkpoints, dataset)
    if not path.exists():
        data = datasets.load(dataset, data_dir(), download=False)
        datasets.check_splits(dataset, data, data_dir())
        fit_classifier(dataset, data, path, progress=progress)
    classifier, _ = load_classifier(checkpoints, dataset)
    check_classifier(classifier, path, pair.either)
    return classifier


def _test_images(pair: ModelPair) -> tuple["Split | None", str]:
    """Load the images that the models were evaluated on; None, and a sentence, where they are not at hand."""
    from training.datasets import DataError, load

    experiment = pair.experiment
    size, binarised = experiment.image_size, experiment.binarised
    try:
        data = load(experiment.dataset, data_dir(), image_size=size, binarised=binarised, download=False)
    except DataError as error:
        return None, f"What needs the test images is left out: {error}."
    if data.id != pair.either.checkpoint.dataset:
        return None, f"What needs the test images is left out: those in {data_dir()} are others."
    return data.test, ""


@dataclass
class Measuring:
    """An experiment that is being measured beside the server, or was and failed."""

    share: float = 0.0  # of the work that is done, in [0, 1]
    label: str = "starting"  # what it does
    of: tuple[int, ...] = ()  # the versions of its checkpoints
    is_over: bool = False
    error: str = ""  # why it failed


_guard = threading.Lock()
_begun: dict[Path, Measuring] = {}  # of this server, by folder


def start(folder: Path) -> None:
    """Start to measure an experiment in a process beside the server, unless that is under way.

    Raises:
        OSError: no process can be started.
    """
    with _guard:
        if folder in _begun and not _begun[folder].is_over:
            return
        process = subprocess.Popen(
            [sys.executable, "-m", "explorer.measuring", str(folder.absolute())],
            cwd=_PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            text=True,
        )
        state = _begun[folder] = Measuring(of=_versions(folder))
        threading.Thread(target=_listen, args=(process, state), daemon=True).start()


def measuring(folder: Path) -> Measuring | None:
    """Return how far the measuring of an experiment is; None if this server has not begun it.

    What became of an earlier one of that name, which was deleted or fitted anew, is forgotten.
    """
    with _guard:
        if folder in _begun and _begun[folder].is_over and _begun[folder].of != _versions(folder):
            del _begun[folder]
        return _begun.get(folder)


def _versions(folder: Path) -> tuple[int, ...]:
    return tuple(file_version(checkpoint_path(folder, model_name)) for model_name in MODEL_NAMES)


def _listen(process: "subprocess.Popen[str]", state: Measuring) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        with suppress(ValueError, TypeError, KeyError):  # something else that was printed
            told = json.loads(line)
            state.share, state.label, state.error = told["share"], told["label"], told["error"]
    if process.wait() and not state.error:
        state.error = "its process has ended"
    state.is_over = True


def _main(folder: Path) -> int:
    from training.datasets import DataError

    def say(share: float, label: str, error: str = "") -> None:
        print(json.dumps({"share": share, "label": label, "error": error}), flush=True)

    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        measure(folder, say)
    except (CheckpointError, DataError) as error:
        say(0.0, "", f"{error}")
    except OSError as error:
        say(0.0, "", f"could not write to {folder} ({error}); what stood there is unharmed")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
