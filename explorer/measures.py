r"""The numbers behind the claims: `python -m explorer measure EXPERIMENT` writes them, the Compare tab shows them.

One file an experiment, `checkpoints/<experiment>/measures.safetensors`. Its settings: `format`, `of` (the SHA-256 of
both checkpoints, so that numbers of another fit are not shown as those of this one) and `values`, for each model:

| name | what |
|---|---|
| `reconstruction`, `elbo`, `kl` | of the test images, nats per image, from the checkpoint; the last two: VAE only |
| `centre_over_spread` | see `quality` |
| `prior_kl` | `KL(N(m, S) \|\| N(0, I))`, S the covariance of the codes, nats |
| `aggregate_kl` | VAE only: the same, S with the mean posterior variance |
| `plane_entropy` | of the shares of the window whose nearest code is a 0, a 1, ..., nats |
| `overlap` | ten numbers: per digit, the share of a code's 15 neighbours that are other digits |
| `window_gaps` | see `quality.far_share`, over the window |
| `prior_read`, `prior_read_error` | share of 2,000 decodes of N(0, I) read with 90 % confidence; standard error |
| `prior_entropy` | how evenly the digits come up among those, nats |
| `fitted_read`, `fitted_read_error`, `fitted_entropy` | AE only: the same for the Gaussian fitted to its codes |
| `knn_accuracy` | leave-one-out, 15 neighbours |
| `jump` | interpolation over 200 pairs of different digits: largest step over the mean step |
| `middle_held`, `middle_held_error` | share of middle frames in which the two end digits hold 90 % of the belief |
| `middle_sureness` | the classifier's mean confidence in the middle frames |

and, where there are more than two latent dimensions, the arrays `tsne.autoencoder` and `tsne.vae`: float16 (n, 2).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer import latent, quality
from explorer.twins import Twin, Twins
from training.array_file import ArrayFile, finite, write_arrays
from training.checkpoint import MODEL_NAMES, checkpoint_path

if TYPE_CHECKING:
    from training.classifier import Classifier

__all__ = [
    "FRAMES",
    "PAIRS",
    "SAMPLES",
    "SEED",
    "Measures",
    "measure",
    "measures_path",
    "read",
    "read_measures",
    "samples",
    "write_measures",
]

Array = NDArray[Any]

FORMAT = 1
SEED = 0
SAMPLES = 2000  # of a Gaussian, decoded and read
PAIRS, FRAMES = 200, 21  # interpolations, and their frames
LATTICE = 200  # places along each side of the window
BOTH = (
    "reconstruction",
    "centre_over_spread",
    "prior_kl",
    "plane_entropy",
    "window_gaps",
    "prior_read",
    "prior_read_error",
    "prior_entropy",
    "knn_accuracy",
    "jump",
    "middle_held",
    "middle_held_error",
    "middle_sureness",
)
VALUES = {
    "autoencoder": (*BOTH, "fitted_read", "fitted_read_error", "fitted_entropy"),
    "vae": (*BOTH, "elbo", "kl", "aggregate_kl"),
}


@dataclass(frozen=True)
class Measures:
    """An experiment's numbers, by model and name as in the module's table."""

    values: dict[str, dict[str, float]]
    overlap: dict[str, list[float]]
    tsne: dict[str, Array]  # empty where the latent space is a plane itself


def measures_path(folder: Path) -> Path:
    """The file of an experiment's numbers."""
    return folder / "measures.safetensors"


def measure(twins: Twins, classifier: "Classifier", told: Callable[[str], None]) -> Measures:
    """Compute all numbers of an experiment.

    Args:
        twins: its models, with their default plane.
        classifier: of their dataset.
        told: is told what is computed next.
    """
    values, overlap, tsne = {}, {}, {}
    for twin in twins:
        told(f"{twin.name}: codes")
        values[twin.name] = dict(twin.checkpoint.test) | _of_codes(twin)
        _, indices = quality.neighbours(twin.codes.code, _neighbours_of(twin))
        values[twin.name]["knn_accuracy"] = quality.knn_accuracy(indices, twin.codes.digit)
        overlap[twin.name] = quality.overlap(indices, twin.codes.digit).tolist()
        told(f"{twin.name}: samples")
        values[twin.name] |= _of_samples(twin, classifier)
        told(f"{twin.name}: interpolation")
        values[twin.name] |= _of_interpolation(twin, classifier)
        if twins.latent_dim > 2:
            told(f"{twin.name}: t-SNE")
            tsne[twin.name] = _tsne(twin.codes.code)
    return Measures(values, overlap, tsne)


def read(classifier: "Classifier", pictures: Array) -> Array:
    """How probable each class is: (n, h, w), pixels in [0, 1] -> (n, 10)."""
    import torch

    from training.classifier import read as read_tensor

    torch.set_num_threads(1)  # holds for the calling thread: see `Twin.decode`
    return read_tensor(classifier, torch.as_tensor(pictures, dtype=torch.float32)).numpy()


def samples(twin: Twin, source: str, n: int, seed: int) -> Array:
    """Latent points, (n, d), from the same standard Gaussian noise whichever the twin and the source.

    Args:
        twin: either.
        source: `prior`, N(0, I), or `fitted`, the Gaussian fitted to the twin's codes.
        n: how many.
        seed: of the noise.
    """
    noise = np.random.default_rng(seed).standard_normal((n, twin.codes.code.shape[1]))
    return noise if source == "prior" else latent.as_codes(noise, twin.codes.code)


def _neighbours_of(twin: Twin) -> int:
    return min(quality.NEIGHBOURS, len(twin.codes.digit) - 1)


def _of_codes(twin: Twin) -> dict[str, float]:
    from scipy.spatial import KDTree

    code, digit = twin.codes.code.astype(np.float64), twin.codes.digit
    lattice = twin.plane.lift(latent.grid(twin.window, LATTICE))
    tree = KDTree(code)
    distances, owner = tree.query(lattice)
    own_distances = tree.query(code, k=[2])[0][:, 0]  # the nearest is the code itself
    shares = np.bincount(digit[owner], minlength=10) / len(lattice)
    values = {
        "centre_over_spread": quality.centre_over_spread(code),
        "prior_kl": quality.gaussian_kl(code),
        "plane_entropy": quality.entropy(shares),
        "window_gaps": quality.far_share(distances, own_distances),
    }
    if twin.codes.log_variance is not None:
        variance = np.exp(twin.codes.log_variance.astype(np.float64)).mean(axis=0)
        values["aggregate_kl"] = quality.gaussian_kl(code, variance)
    return values


def _of_samples(twin: Twin, classifier: "Classifier") -> dict[str, float]:
    values: dict[str, float] = {}
    for source in ("prior", "fitted") if twin.name == "autoencoder" else ("prior",):
        probabilities = read(classifier, twin.decode(samples(twin, source, SAMPLES, SEED)))
        share = quality.read_share(probabilities)
        values |= {
            f"{source}_read": share.value,
            f"{source}_read_error": share.error,
            f"{source}_entropy": quality.read_entropy(probabilities),
        }
    return values


def _of_interpolation(twin: Twin, classifier: "Classifier") -> dict[str, float]:
    digit = twin.codes.digit
    rng = np.random.default_rng(SEED)
    pairs: list[Array] = []
    while len(pairs) < PAIRS:
        pair = rng.integers(len(digit), size=2)
        if digit[pair[0]] != digit[pair[1]]:
            pairs.append(pair)
    ends = np.stack(pairs)
    starts, stops = twin.codes.code[ends[:, 0]], twin.codes.code[ends[:, 1]]
    ways = np.concatenate([latent.path(start, stop, FRAMES) for start, stop in zip(starts, stops, strict=True)])
    pictures = twin.decode(ways)
    films = pictures.reshape(PAIRS, FRAMES, *pictures.shape[1:])
    probabilities = read(classifier, films[:, FRAMES // 2])
    held = quality.middle_belief(probabilities, digit[ends].astype(int))
    return {
        "jump": quality.jump(films),
        "middle_held": held.value,
        "middle_held_error": held.error,
        "middle_sureness": float(probabilities.max(axis=1).mean()),
    }


def _tsne(code: Array) -> Array:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(code) - 1) / 3)
    found: Array = TSNE(perplexity=perplexity, random_state=SEED).fit_transform(code.astype(np.float64))
    return found.astype(np.float16)


def write_measures(folder: Path, measures: Measures) -> Path:
    """Write an experiment's numbers beside its checkpoints; gives the file's path.

    Raises:
        OSError: the file could not be written; what stood there is unharmed.
    """
    settings = {
        "format": FORMAT,
        "of": _digests(folder),
        "values": {model: measures.values[model] | {"overlap": measures.overlap[model]} for model in MODEL_NAMES},
    }
    path = measures_path(folder)
    write_arrays(path, {f"tsne.{model}": points for model, points in measures.tsne.items()}, settings)
    return path


def read_measures(folder: Path, twins: Twins) -> Measures:
    """The numbers of an experiment.

    Raises:
        CheckpointError: missing, foreign, defective, or of other checkpoints than those in the folder.
    """
    command = f"python -m explorer measure {folder.name}"
    file = ArrayFile(measures_path(folder), kind=FORMAT, verb="measure", command=command)
    n = len(twins.digits)
    file.expect_groups("tsne")
    file.expect("tsne", dict.fromkeys(MODEL_NAMES, ("F16", (n, 2))) if twins.latent_dim > 2 else {})
    try:
        of, told = file.settings["of"], file.settings["values"]
        values = {model: {name: finite(told[model][name]) for name in VALUES[model]} for model in MODEL_NAMES}
        overlap = {model: [finite(share) for share in told[model]["overlap"]] for model in MODEL_NAMES}
    except (KeyError, TypeError, ValueError) as error:
        raise file.defect(f"has settings that cannot be read ({error!r:.200})") from error
    if of != _digests(folder):
        raise file.defect("is of other checkpoints than those that stand beside it")
    return Measures(values, overlap, file.group("tsne"))


def _digests(folder: Path) -> dict[str, str]:
    return {model: hashlib.sha256(checkpoint_path(folder, model).read_bytes()).hexdigest() for model in MODEL_NAMES}
