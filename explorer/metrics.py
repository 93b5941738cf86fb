"""Numbers about a latent space. Arrays in, numbers out; nats where nothing else is said."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "INACTIVE_KL",
    "K_NEIGHBOURS",
    "MIN_CONFIDENCE",
    "Estimate",
    "class_entropy",
    "confident_share",
    "endpoint_share",
    "entropy",
    "fitted_gaussian_kl",
    "gap_fraction",
    "knn_accuracy",
    "max_step_ratio",
    "neighbours",
    "normalized_offset",
    "overlap",
    "overlap_error",
]

Array = NDArray[Any]

INACTIVE_KL = 0.01  # nats; a latent dimension with a smaller mean KL is inactive (Burda et al. 2016: active units)
MIN_CONFIDENCE = 0.9  # a picture counts as read if the classifier gives a class at least this probability
K_NEIGHBOURS = 15  # k of the k-nearest-neighbour metrics


class Estimate(NamedTuple):
    """An estimate from random draws, and its standard error."""

    value: float
    error: float


def normalized_offset(codes: Array) -> float:
    """Return the distance of the codes' mean from the origin, over their root mean variance: (n, d); 0 is centred."""
    codes = codes.astype(np.float64)
    return float(np.linalg.norm(codes.mean(axis=0)) / np.sqrt(codes.var(axis=0).mean()))


def fitted_gaussian_kl(codes: Array, variance: Array | float = 0.0) -> float:
    """Compute `KL(N(m, S) || N(0, I)) = 1/2 (tr S + m'm - d - log det S)`, in nats.

    Args:
        codes: (n, d), of mean m and covariance C.
        variance: (d,), what S has besides C on its diagonal: the mean posterior variance for a VAE, whose codes are
            the means of Gaussians.
    """
    codes = codes.astype(np.float64)
    mean = codes.mean(axis=0)
    covariance = np.cov(codes, rowvar=False, ddof=0).reshape(len(mean), len(mean)) + np.diag(
        np.broadcast_to(variance, mean.shape)
    )
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(0.5 * (np.trace(covariance) + mean @ mean - len(mean) - log_determinant))


def entropy(shares: Array) -> float:
    """Compute `-sum p log p` of shares that sum to 1, (k,): log k when all are equal, 0 when one has it all."""
    shares = np.asarray(shares, np.float64)
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum()) + 0.0  # no -0


def gap_fraction(distances: Array, own_distances: Array) -> float:
    """Return the fraction of points farther from any code than 2 x the codes' median nearest-neighbour distance.

    Args:
        distances: (m,), of each point to its nearest code.
        own_distances: (n,), of each code to its nearest other code.
    """
    return float((distances > 2 * np.median(own_distances)).mean())


def neighbours(codes: Array, k: int) -> tuple[Array, Array]:
    """Find each code's k nearest other codes, the nearest first: (n, d) -> distances (n, k) and indices (n, k)."""
    # Imported here: it takes a second or more, and the maps do without.
    from sklearn.neighbors import NearestNeighbors

    distances, indices = NearestNeighbors(n_neighbors=k).fit(codes.astype(np.float64)).kneighbors()
    return distances, indices


def overlap(indices: Array, labels: Array, classes: int) -> Array:
    """Return, for each class, the share of its codes' neighbours of other classes: (classes,); nan without a code.

    Args:
        indices: (n, k), of `neighbours`.
        labels: (n,).
        classes: number of classes.
    """
    foreign = (labels[indices] != labels[:, None]).mean(axis=1)
    return np.array(
        [foreign[labels == label].mean() if (labels == label).any() else np.nan for label in range(classes)]
    )


def overlap_error(indices: Array, labels: Array, classes: int) -> float:
    """Return the standard error of the mean of `overlap` over the classes that have a code; arguments as there."""
    foreign = (labels[indices] != labels[:, None]).mean(axis=1)
    shares = [foreign[labels == label] for label in range(classes) if (labels == label).any()]
    return float(np.sqrt(sum(each.var() / len(each) for each in shares)) / len(shares))


def knn_accuracy(indices: Array, labels: Array, classes: int) -> float:
    """Return the leave-one-out accuracy of a k-nearest-neighbour vote on the codes.

    Arguments as `overlap`. Ties go to the smaller label.
    """
    votes = (labels[indices][:, :, None] == np.arange(classes)).sum(axis=1)
    return float((votes.argmax(axis=1) == labels).mean())


def confident_share(probabilities: Array) -> Estimate:
    """Return the share of pictures classified with probability `MIN_CONFIDENCE` or more: (n, classes)."""
    confident = probabilities.max(axis=1) >= MIN_CONFIDENCE
    value = float(confident.mean())
    return Estimate(value, float(np.sqrt(value * (1 - value) / len(confident))))


def class_entropy(probabilities: Array) -> float:
    """Return the entropy of the classes among the pictures that `confident_share` counts, in nats: (n, classes)."""
    confident = probabilities.max(axis=1) >= MIN_CONFIDENCE
    counts = np.bincount(probabilities[confident].argmax(axis=1), minlength=probabilities.shape[1])
    return entropy(counts / max(counts.sum(), 1))


def max_step_ratio(interpolations: Array) -> float:
    """Return the largest step between neighbouring frames over the mean step, averaged over interpolations.

    A step is the Euclidean distance of two pictures; 1 is an even change, and where nothing changes at all.

    Args:
        interpolations: (n, frames, h, w).
    """
    steps = np.linalg.norm(np.diff(interpolations.reshape(*interpolations.shape[:2], -1), axis=1), axis=2)
    largest, mean = steps.max(axis=1), steps.mean(axis=1)
    return float(np.divide(largest, mean, out=np.ones_like(mean), where=mean > 0).mean())


def endpoint_share(probabilities: Array, ends: Array) -> Estimate:
    """Return the share of middle frames whose two end classes together get `MIN_CONFIDENCE` of the probability.

    Args:
        probabilities: (n, classes), of the middle frames.
        ends: (n, 2), the classes at the ends.
    """
    held = np.take_along_axis(probabilities, ends, axis=1).sum(axis=1) >= MIN_CONFIDENCE
    value = float(held.mean())
    return Estimate(value, float(np.sqrt(value * (1 - value) / len(held))))
