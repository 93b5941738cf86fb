r"""The numbers behind the claims: `python -m explorer measure EXPERIMENT` writes them, the Compare tab shows them.

One file an experiment, `checkpoints/<experiment>/measures.safetensors`. Its settings: `format`, `of` (the SHA-256 of
its checkpoints, so that numbers of another fit are not shown as those of this one) and `values`, for each model:

| name | what |
|---|---|
| `reconstruction`, `elbo`, `kl` | of the test images, nats per image, from the checkpoint; the last two: VAE only |
| `centre_over_spread` | see `metrics` |
| `prior_kl` | `KL(N(m, S) \|\| N(0, I))`, S the covariance of the codes, nats |
| `aggregate_kl` | VAE only: the same, S with the mean posterior variance |
| `plane_entropy` | of the shares of the window whose nearest code is of each class, nats |
| `overlap` | per class, the share of a code's 15 neighbours that are of other classes; null: no test image |
| `overlap_error` | standard error of the mean of `overlap` over the classes |
| `window_gaps` | see `metrics.gap_fraction`, over the window |
| `prior_read`, `prior_read_error` | share of 2,000 decodes of N(0, I) read with 90 % confidence; standard error |
| `prior_entropy` | how evenly the classes come up among those, nats |
| `fitted_read`, `fitted_read_error`, `fitted_entropy` | AE only: the same for the Gaussian fitted to its codes |
| `knn_accuracy` | leave-one-out, 15 neighbours |
| `jump` | interpolation over 200 pairs of different classes: largest step over the mean step |
| `middle_held`, `middle_held_error` | share of middle frames in which the two end classes get 90 % of the probability |
| `middle_sureness` | the classifier's mean confidence in the middle frames |

and, if there are two latent dimensions and the images were at hand, for the VAE, over the first 500 test images, nats:

| name | what |
|---|---|
| `evidence` | mean log p(x), by quadrature: see `posterior` |
| `evidence_elbo` | mean ELBO, by quadrature |
| `slack`, `slack_error`, `slack_median` | their difference, `KL(q(z\|x) \|\| p(z\|x))`: mean, standard error, median |
| `evidence_weighted`, `evidence_weighted_error` | mean log p(x), by importance sampling; standard error |

Its arrays, for each model:

| name | shape | dtype | when | what |
|---|---|---|---|---|
| `tsne.MODEL` | (n, 2) | float16 | more than two latent dimensions | the codes as t-SNE lays them out |
| `reconstruction.MODEL` | (n,) | float32 | the images were at hand | see `Model.elbo_terms`, of the test images, nats |
| `kl.vae` | (n,) | float32 | the images were at hand | the same |
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer import latent, metrics, posterior
from explorer.maps import Map
from explorer.models import ElboTerms, Model, ModelPair
from training.array_file import ArrayFile, CheckpointError, file_digest, finite, write_arrays
from training.checkpoint import checkpoint_path

if TYPE_CHECKING:
    from torch import Tensor

    from training.classifier import Classifier
    from training.datasets import Split

__all__ = [
    "FRAMES",
    "PAIRS",
    "POSTERIORS",
    "SAMPLES",
    "SEED",
    "Evaluation",
    "approximate_posteriors",
    "binarised",
    "check_classifier",
    "classify",
    "decode_grid",
    "decoder",
    "evaluate_pair",
    "evaluation_path",
    "read_evaluation",
    "samples",
    "write_evaluation",
]

Array = NDArray[Any]

FORMAT = 2
SEED = 0
SAMPLES = 2000  # random codes, decoded and classified
PAIRS, FRAMES = 200, 21  # interpolations, and their frames
GRID_SIDE = 200  # points along each side of the window
POSTERIORS = 500  # test images whose true posterior is computed
WEIGHTED_SAMPLES = 1000  # of each of them, for the importance-weighted estimate
METRICS_OF_BOTH = (
    "reconstruction",
    "centre_over_spread",
    "prior_kl",
    "plane_entropy",
    "overlap_error",
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
METRICS = {
    "autoencoder": (*METRICS_OF_BOTH, "fitted_read", "fitted_read_error", "fitted_entropy"),
    "vae": (*METRICS_OF_BOTH, "elbo", "kl", "aggregate_kl"),
}
POSTERIOR_METRICS = (
    "evidence",
    "evidence_elbo",
    "slack",
    "slack_error",
    "slack_median",
    "evidence_weighted",
    "evidence_weighted_error",
)


@dataclass(frozen=True)
class Evaluation:
    """An experiment's numbers, by model and name as in the module's table."""

    values: dict[str, dict[str, float]]
    overlap: dict[str, list[float]]  # nan for a class without test images
    tsne: dict[str, Array]  # empty where the latent space is a plane itself
    terms: dict[str, ElboTerms]  # of each test image; empty where the images were not at hand


def evaluation_path(folder: Path, beta: float | None = None) -> Path:
    """Return the file of an experiment's numbers."""
    return folder / ("measures.safetensors" if beta is None else f"measures-beta-{beta:g}.safetensors")


def evaluate_pair(
    pair: ModelPair, classifier: "Classifier", progress: Callable[[str], None], test: "Split | None" = None
) -> Evaluation:
    """Compute all numbers of an experiment.

    Args:
        pair: its models.
        classifier: of their dataset.
        progress: called with the name of what is computed next.
        test: all test images; None: what needs them is left out.
    """
    values, overlap, tsne, terms = {}, {}, {}, {}
    for model in pair:
        progress(f"{model.name}: codes")
        values[model.name] = dict(model.checkpoint.test) | _code_metrics(model)
        _, indices = metrics.neighbours(model.codes.code, _k_neighbours(model))
        values[model.name]["knn_accuracy"] = metrics.knn_accuracy(indices, model.codes.labels, len(pair.classes))
        overlap[model.name] = metrics.overlap(indices, model.codes.labels, len(pair.classes)).tolist()
        values[model.name]["overlap_error"] = metrics.overlap_error(indices, model.codes.labels, len(pair.classes))
        progress(f"{model.name}: samples")
        values[model.name] |= _sample_metrics(model, classifier)
        progress(f"{model.name}: interpolation")
        values[model.name] |= _interpolation_metrics(model, classifier)
        if pair.latent_dim > 2:
            progress(f"{model.name}: t-SNE")
            tsne[model.name] = _tsne(model.codes.code)
        if test is not None:
            progress(f"{model.name}: likelihoods")
            terms[model.name] = model.elbo_terms(test)
    if test is not None and pair.latent_dim == 2 and (vae := pair.find("vae")):
        progress("vae: posteriors")
        values["vae"] |= _posterior_metrics(vae, binarised(test.images)[:POSTERIORS])
    return Evaluation(values, overlap, tsne, terms)


def binarised(images: "Tensor") -> Array:
    """Binarise test images as `training.objective.evaluate_per_image` does: uint8 (n, h, w) -> zeros and ones.

    Which pixels come out white depends on the number of images, too: binarise all of them, then choose.
    """
    import torch

    from training.datasets import binarise
    from training.objective import EVALUATION_SEED

    return binarise(images, torch.Generator().manual_seed(EVALUATION_SEED)).to(torch.uint8).numpy()


def approximate_posteriors(vae: Model, binary: Array) -> list[posterior.DiagonalGaussian]:
    """Return q(z|x) of each image: (n, h, w), zeros and ones."""
    import torch

    mean, std = vae.encode_with_std(torch.as_tensor(binary, dtype=torch.float32))
    assert std is not None
    return [posterior.DiagonalGaussian(*each) for each in zip(mean, std, strict=True)]


def decoder(vae: Model) -> posterior.Decoder:
    """Return a VAE's decoder as a function from latent points to logits, as `posterior` takes it."""
    return lambda z: vae.logits(z).reshape(len(z), vae.checkpoint.experiment.image_size**2)


def decode_grid(vae: Model, doublings: int = 0) -> posterior.DecodedGrid:
    """Decode the coarse grid that all posterior computations share; see `posterior.coarse_grid`."""
    assert vae.codes.std is not None
    known = posterior.DiagonalGaussian(vae.codes.code, vae.codes.std)
    return posterior.decode_grid(decoder(vae), *posterior.coarse_grid(*known, doublings), known)


def _posterior_metrics(vae: Model, binary: Array) -> dict[str, float]:
    decode, grids, rng = decoder(vae), lru_cache(partial(decode_grid, vae)), np.random.default_rng(SEED)
    rows = []
    for image, q in zip(binary.reshape(len(binary), -1), approximate_posteriors(vae, binary), strict=True):
        target = posterior.true_posterior_within(grids, decode, image, q)
        weighted = posterior.importance_estimate(decode, image, q, target, samples=WEIGHTED_SAMPLES, rng=rng)
        rows.append((target.log_evidence, posterior.elbo(decode, image, q), *weighted))
    evidence, elbo, weighted_evidence, error = np.array(rows).T
    slack = evidence - elbo
    return {
        "evidence": float(evidence.mean()),
        "evidence_elbo": float(elbo.mean()),
        "slack": float(slack.mean()),
        "slack_error": float(slack.std(ddof=1) / np.sqrt(len(slack))),
        "slack_median": float(np.median(slack)),
        "evidence_weighted": float(weighted_evidence.mean()),
        "evidence_weighted_error": float(np.sqrt((error**2).sum()) / len(error)),
    }


def check_classifier(classifier: "Classifier", path: Path, model: Model) -> None:
    """Check that a classifier, of a path, tells the classes of a model's images apart.

    Raises:
        CheckpointError: it has another number of classes.
    """
    if classifier.classes != len(model.classes):
        dataset = model.checkpoint.experiment.dataset
        raise CheckpointError(
            f"{path} tells {classifier.classes} classes apart, and the images are of {len(model.classes)}; "
            f"fit it again: python -m training classifier {dataset}"
        )


def classify(classifier: "Classifier", pictures: Array) -> Array:
    """Return the classifier's probabilities: (n, h, w), pixels in [0, 1] -> (n, classes)."""
    import torch

    from training.classifier import classify as classify_tensor

    torch.set_num_threads(1)  # holds for the calling thread: see `Model.decode`
    return classify_tensor(classifier, torch.as_tensor(pictures, dtype=torch.float32)).numpy()


def samples(model: Model, source: str, n: int, seed: int) -> Array:
    """Draw latent points, (n, d), from the same standard Gaussian noise whichever the model and the source.

    Args:
        model: either.
        source: `prior`, N(0, I), or `fitted`, the Gaussian fitted to the model's codes.
        n: how many.
        seed: of the noise.
    """
    noise = np.random.default_rng(seed).standard_normal((n, model.codes.code.shape[1]))
    return noise if source == "prior" else latent.noise_to_fitted_gaussian(noise, model.codes.code)


def _k_neighbours(model: Model) -> int:
    return min(metrics.K_NEIGHBOURS, len(model.codes.labels) - 1)


def _code_metrics(model: Model) -> dict[str, float]:
    from scipy.spatial import KDTree

    code, labels = model.codes.code.astype(np.float64), model.codes.labels
    map_ = Map(model)
    grid = map_.lift(latent.grid(map_.window, GRID_SIDE))
    tree = KDTree(code)
    distances, owner = tree.query(grid)
    own_distances = tree.query(code, k=[2])[0][:, 0]  # the nearest is the code itself
    shares = np.bincount(labels[owner], minlength=len(model.classes)) / len(grid)
    values = {
        "centre_over_spread": metrics.normalized_offset(code),
        "prior_kl": metrics.fitted_gaussian_kl(code),
        "plane_entropy": metrics.entropy(shares),
        "window_gaps": metrics.gap_fraction(distances, own_distances),
    }
    if model.codes.std is not None:
        variance = (model.codes.std**2).mean(axis=0)
        values["aggregate_kl"] = metrics.fitted_gaussian_kl(code, variance)
    return values


def _sample_metrics(model: Model, classifier: "Classifier") -> dict[str, float]:
    values: dict[str, float] = {}
    for source in ("prior", "fitted") if model.name == "autoencoder" else ("prior",):
        probabilities = classify(classifier, model.decode(samples(model, source, SAMPLES, SEED)))
        share = metrics.confident_share(probabilities)
        values |= {
            f"{source}_read": share.value,
            f"{source}_read_error": share.error,
            f"{source}_entropy": metrics.class_entropy(probabilities),
        }
    return values


def _interpolation_metrics(model: Model, classifier: "Classifier") -> dict[str, float]:
    labels = model.codes.labels
    rng = np.random.default_rng(SEED)
    of_one_class = (labels == labels[0]).all()
    pairs: list[Array] = []
    while len(pairs) < PAIRS:
        pair = rng.integers(len(labels), size=2)
        if of_one_class or labels[pair[0]] != labels[pair[1]]:
            pairs.append(pair)
    ends = np.stack(pairs)
    starts, stops = model.codes.code[ends[:, 0]], model.codes.code[ends[:, 1]]
    points = np.concatenate(
        [latent.linear_interpolation(start, stop, FRAMES) for start, stop in zip(starts, stops, strict=True)]
    )
    pictures = model.decode(points)
    interpolations = pictures.reshape(PAIRS, FRAMES, *pictures.shape[1:])
    probabilities = classify(classifier, interpolations[:, FRAMES // 2])
    held = metrics.endpoint_share(probabilities, labels[ends].astype(int))
    return {
        "jump": metrics.max_step_ratio(interpolations),
        "middle_held": held.value,
        "middle_held_error": held.error,
        "middle_sureness": float(probabilities.max(axis=1).mean()),
    }


def _tsne(code: Array) -> Array:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(code) - 1) / 3)
    found: Array = TSNE(perplexity=perplexity, random_state=SEED).fit_transform(code.astype(np.float64))
    return found.astype(np.float16)


def write_evaluation(folder: Path, evaluation: Evaluation, beta: float | None = None) -> Path:
    """Write an experiment's numbers beside its checkpoints; return the file's path.

    Args:
        folder: the experiment's.
        evaluation: the numbers.
        beta: of an additional VAE.

    Raises:
        OSError: the file could not be written; what stood there is unharmed.
    """
    settings = {
        "format": FORMAT,
        "of": _digests(folder, evaluation.values, beta),
        "values": {
            model_name: evaluation.values[model_name]
            | {"overlap": [None if np.isnan(share) else share for share in evaluation.overlap[model_name]]}
            for model_name in evaluation.values
        },
    }
    path = evaluation_path(folder, beta)
    arrays = {f"tsne.{model_name}": points for model_name, points in evaluation.tsne.items()}
    for model_name, terms in evaluation.terms.items():
        arrays |= {
            f"{term}.{model_name}": values.astype(np.float32)
            for term, values in terms._asdict().items()
            if values is not None
        }
    write_arrays(path, arrays, settings)
    return path


def read_evaluation(folder: Path, pair: ModelPair) -> Evaluation:
    """Read the numbers of an experiment.

    Raises:
        CheckpointError: missing, foreign, defective, or of other checkpoints than those in the folder.
    """
    command = f"python -m explorer measure {folder.name}"
    file = ArrayFile(evaluation_path(folder, pair.other_beta), expected_format=FORMAT, verb="measure", command=command)
    n, model_names = len(pair.labels), [model.name for model in pair]
    file.expect_groups("tsne", *ElboTerms._fields)
    file.expect("tsne", dict.fromkeys(model_names, ("F16", (n, 2))) if pair.latent_dim > 2 else {})
    has_terms = file.has(f"reconstruction.{model_names[0]}")
    for term, names in {"reconstruction": model_names, "kl": [name for name in model_names if name == "vae"]}.items():
        file.expect(term, dict.fromkeys(names, ("F32", (n,))) if has_terms else {})
    try:
        of, stored = file.settings["of"], file.settings["values"]
        values = {
            model_name: {name: finite(stored[model_name][name]) for name in METRICS[model_name]}
            for model_name in model_names
        }
        if POSTERIOR_METRICS[0] in stored.get("vae", {}):
            values["vae"] |= {name: finite(stored["vae"][name]) for name in POSTERIOR_METRICS}
        overlap = {
            model_name: [np.nan if share is None else finite(share) for share in stored[model_name]["overlap"]]
            for model_name in model_names
        }
        if any(len(shares) != len(pair.classes) for shares in overlap.values()):
            raise ValueError(f"overlap is not that of {len(pair.classes)} classes")
    except (KeyError, TypeError, ValueError) as error:
        raise file.defect_error(f"has settings that cannot be read ({error!r:.200})") from error
    if of != _digests(folder, model_names, pair.other_beta):
        raise file.defect_error("is of other checkpoints than those that stand beside it")
    reconstruction, kl = (file.group(term) for term in ElboTerms._fields)
    terms = {name: ElboTerms(reconstruction[name], kl.get(name)) for name in reconstruction}
    return Evaluation(values, overlap, file.group("tsne"), terms)


def _digests(folder: Path, model_names: Iterable[str], beta: float | None) -> dict[str, str]:
    paths = {"autoencoder": checkpoint_path(folder, "autoencoder"), "vae": checkpoint_path(folder, "vae", beta)}
    return {model_name: file_digest(paths[model_name]) for model_name in model_names}
