r"""What a loss says: a number that somebody reports, in nats per image, and what it is near to.

A loss is the mean over images of `s E + w KL`, or their sum. E is the reconstruction's error, summed over the pixels: a
cross-entropy in nats, or a squared error. s is 1, or 1 / pixels where the loss is a mean over them; w is what weighs
the KL. A cross-entropy is `-log p(x|z)`. A squared error is that of a Gaussian with a given sigma, but for a constant:
`-log p(x|z) = E / (2 sigma^2) + pixels / 2 log(2 pi sigma^2)`. So the loss holds `log p(x|z) - beta KL`; beta is
`w / s`, over `2 sigma^2` if the error is squared. It is the ELBO where beta is 1.

Reference:
    Kingma and Welling 2013, Auto-Encoding Variational Bayes, appendix C, https://arxiv.org/abs/1312.6114
    Higgins et al. 2017, beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.text import nats

__all__ = [
    "Error",
    "Finding",
    "Kl",
    "Landmark",
    "Loss",
    "Reduction",
    "Scale",
    "caveats",
    "cross_entropy",
    "find",
    "mean_image",
    "said",
    "squared_error",
]

Array = NDArray[Any]

CLOSE = 0.01  # of the way from all pixels at one half to the mean image: what is nearer is taken for the same
COLLAPSED_KL = 0.1  # nats: a collapsed posterior's is below it
# What is typed is rounded: sigma 0.7071 means the root of one half, and −118.46 a model's own −118.4567 nats.
ROUNDED_BETA, ROUNDED_NATS = 1e-3, 0.05


class Error(StrEnum):
    """What a reconstruction's error is, and of which images."""

    BINARY = "binary"  # cross-entropy of black and white images
    GREY = "grey"  # cross-entropy of grey images
    SQUARED = "squared"  # of grey images


class Reduction(StrEnum):
    """In what the loss is counted; of a squared error, `PIXEL` and `IMAGE` are its mean and its sum."""

    PIXEL = "pixel"  # nats, mean over the pixels
    IMAGE = "image"  # nats, sum over the pixels
    BITS = "bits"  # sum over the pixels
    BITS_PER_DIMENSION = "dimension"  # mean over the pixels


class Kl(StrEnum):
    """How the loss holds the KL."""

    NONE = "none"
    ALIKE = "alike"  # reduced as the error is: of a mean over the pixels, divided by their number
    SUM = "sum"  # over the latent dimensions
    MEAN = "mean"  # over the latent dimensions


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A reported number, and what is said of it.

    Raises:
        ValueError: it is not a loss, in one sentence.
    """

    value: float
    error: Error
    reduction: Reduction
    kl: Kl
    pixels: int  # of an image; of colours, three times as many
    latent_dim: int = 1  # only of use to `Kl.MEAN`
    sigma: float = 1.0  # of the Gaussian, for pixels in [0, 1]; only of use to `Error.SQUARED`
    images: int = 1  # that it is the sum over; 1 of a mean over images

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"the loss is {self.value}; it must be a number of at least 0")
        if min(self.pixels, self.latent_dim, self.images) < 1 or not self.sigma > 0:
            raise ValueError(
                f"pixels, latent_dim, images and sigma are {self.pixels}, {self.latent_dim}, {self.images} and "
                f"{self.sigma}; they must be positive"
            )
        if self.error == Error.SQUARED and self.reduction in (Reduction.BITS, Reduction.BITS_PER_DIMENSION):
            raise ValueError(f"the loss is a squared error in {self.reduction}; it must be per pixel or per image")

    @property
    def is_mean(self) -> bool:
        """Whether it is a mean over the pixels."""
        return self.reduction in (Reduction.PIXEL, Reduction.BITS_PER_DIMENSION)

    @property
    def beta(self) -> float:
        """The weight of the KL beside log p(x|z); 0 without a KL, 1 of the ELBO."""
        share = 1 / self.pixels if self.is_mean else 1.0
        weight = {Kl.NONE: 0.0, Kl.ALIKE: share, Kl.SUM: 1.0, Kl.MEAN: 1 / self.latent_dim}[self.kl] / share
        return weight / (2 * self.sigma**2) if self.error == Error.SQUARED else weight

    @property
    def nats(self) -> float:
        """`log p(x|z) - beta KL`, in nats per image; higher is better."""
        unit = math.log(2) if self.reduction in (Reduction.BITS, Reduction.BITS_PER_DIMENSION) else 1
        in_nats = self.value * unit / self.images
        return self.log_likelihood(in_nats * (self.pixels if self.is_mean else 1))

    def log_likelihood(self, error: float) -> float:
        """Return log p(x|z) of an error, summed over the pixels, of the same kind: nats per image."""
        if self.error != Error.SQUARED:
            return 0.0 - error  # no -0
        variance = self.sigma**2
        return -error / (2 * variance) - self.pixels / 2 * math.log(2 * math.pi * variance)


class Landmark(NamedTuple):
    """A value that a loss is set beside."""

    name: str
    nats: float  # per image
    has_kl: bool | None  # None: without codes there is none to pay
    model: str = ""  # `autoencoder` or `vae`


@dataclass(frozen=True)
class Scale:
    """The landmarks of one kind of error, in nats per image; None: not known here."""

    half: float | None  # every pixel at one half, which says nothing
    mean_image: float | None  # the same picture for every image, as a collapsed posterior has it
    perfect: float | None  # the images themselves: the most that is possible
    models: tuple[Landmark, ...] = ()

    @property
    def landmarks(self) -> list[Landmark]:
        """All of them, the lowest first."""
        fixed = (
            ("every pixel at one half", self.half),
            ("the mean image", self.mean_image),
            ("a perfect copy", self.perfect),
        )
        known = [Landmark(name, value, None) for name, value in fixed if value is not None]
        return sorted([*known, *self.models], key=lambda landmark: landmark.nats)

    def beside(self, loss: Loss) -> list[Landmark]:
        """Return the models that hold the same terms as a loss, with a KL or without, the lowest first."""
        same = [each for each in self.models if each.has_kl == (loss.kl != Kl.NONE)]
        return sorted(same, key=lambda landmark: landmark.nats)


class Finding(StrEnum):
    """What is typical of a loss."""

    IMPOSSIBLE = "impossible"
    COLLAPSED = "collapsed"
    UNTRAINED = "untrained"
    WORSE_THAN_HALF = "worse than half"
    WORSE_THAN_MEAN_IMAGE = "worse than the mean image"
    AMONG_MODELS = "among models"
    BEST = "best"
    UNKNOWN = "unknown"


def find(loss: Loss, scale: Scale) -> Finding:
    """Find what a loss is near to."""
    if scale.half is None:
        return Finding.UNKNOWN
    close = CLOSE * (-scale.half if scale.mean_image is None else scale.mean_image - scale.half)
    if scale.perfect is not None and loss.nats > scale.perfect + close:
        return Finding.IMPOSSIBLE
    if scale.mean_image is not None and abs(loss.nats - scale.mean_image) <= close:
        return Finding.COLLAPSED
    if abs(loss.nats - scale.half) <= close:
        return Finding.UNTRAINED
    if loss.nats < scale.half:
        return Finding.WORSE_THAN_HALF
    if scale.mean_image is not None and loss.nats < scale.mean_image:
        return Finding.WORSE_THAN_MEAN_IMAGE
    models = scale.beside(loss)
    if not models:
        return Finding.UNKNOWN
    return Finding.AMONG_MODELS if loss.nats < models[-1].nats else Finding.BEST


def said(loss: Loss, scale: Scale) -> str:
    """Say what is typical of a loss, in Markdown."""
    finding = find(loss, scale)
    if finding == Finding.COLLAPSED:
        if loss.kl == Kl.NONE:
            return (
                "**That is the mean image.** The decoder shows the same picture, whatever the code. "
                "In a VAE this is collapse: the KL is probably below "
                f"{COLLAPSED_KL} nats."
            )
        return (
            f"**This is collapse:** the mean image for every code. Your KL is probably below {COLLAPSED_KL} nats, and "
            "the codes say nothing of the image."
        )
    if finding == Finding.UNTRAINED:
        return "**That is every pixel at one half.** So is a decoder before it has learnt anything."
    if finding == Finding.WORSE_THAN_HALF:
        return (
            "**Worse than every pixel at one half,** which takes no learning. Is the kind of number right, and are the "
            f"pixels in [0, 1]?{_other_reading(loss, scale)}"
        )
    if finding == Finding.WORSE_THAN_MEAN_IMAGE:
        return (
            "**Worse than the mean image,** the same picture for every code. So are the first steps of a fit. "
            "If yours is over, the learning rate may be too high."
        )
    if finding == Finding.IMPOSSIBLE:
        return (
            "**Better than a perfect copy,** so it is another kind of number than said. A copy of the test images "
            f"reaches {nats(scale.perfect or 0)}.{_other_reading(loss, scale)}"
        )
    if finding == Finding.AMONG_MODELS:
        same = [each for each in scale.landmarks if each.has_kl in (None, loss.kl != Kl.NONE)]
        equal = [each.name for each in same if abs(each.nats - loss.nats) <= ROUNDED_NATS]
        if equal:
            return f"**It has learnt something.** As it stands it is as good as {equal[-1]}."
        below = [each.name for each in same if each.nats <= loss.nats][-1]
        above = next(each.name for each in same if each.nats > loss.nats)
        return f"**It has learnt something.** As it stands it is better than {below}, and not as good as {above}."
    if finding == Finding.BEST:
        best = scale.beside(loss)[-1].name
        return f"**At least as good as {best},** the best of this kind here.{_other_reading(loss, scale)}"
    return "There is no mark here that it could be judged by."


def _other_reading(loss: Loss, scale: Scale) -> str:
    """Say what the number is if a mean was taken for a sum, or a sum for a mean, where only that is likely."""
    if scale.half is None or scale.mean_image is None:
        return ""
    if loss.error == Error.SQUARED or loss.reduction in (Reduction.PIXEL, Reduction.IMAGE):
        reduction = Reduction.IMAGE if loss.is_mean else Reduction.PIXEL
    else:
        reduction = Reduction.BITS if loss.is_mean else Reduction.BITS_PER_DIMENSION
    other = replace(loss, reduction=reduction)
    models = scale.beside(loss)
    highest = models[-1].nats if models else scale.mean_image
    if scale.half <= loss.nats <= highest or not scale.half <= other.nats <= highest:
        return ""
    kind = "a mean over the pixels" if other.is_mean else "a sum over the pixels"
    return f" As {kind} it would be {nats(other.nats, '.1f')} per image, which is more likely."


def caveats(loss: Loss) -> list[str]:
    """Say with what a loss cannot be compared, and why; in Markdown."""
    texts = []
    beta = loss.beta
    if loss.kl != Kl.NONE and not math.isclose(beta, 1, rel_tol=ROUNDED_BETA):
        if loss.is_mean and loss.kl == Kl.SUM and loss.error != Error.SQUARED:
            texts.append(f"A *mean* over {loss.pixels:,} pixels with a *summed* KL is beta = {beta:,.4g}.")
        else:
            texts.append(f"Reduced like this, the KL has the weight beta = {beta:,.4g}.")
        sign, times = ("plus", beta - 1) if beta > 1 else ("minus", 1 - beta)
        texts.append(f"So it is no ELBO. Yours is this number {sign} {times:,.4g} times your KL.")
    if loss.error == Error.GREY:
        texts.append(
            "Cross-entropy on grey images is no likelihood: black and white pixels have a probability, grey ones none. "
            "Even a perfect copy does not reach 0."
        )
    if loss.error == Error.SQUARED:
        texts.append(
            "A squared error needs its sigma: another one moves every mark. It is a density of grey pixels, not a "
            "probability, so no cross-entropy compares with it."
        )
    if loss.kl == Kl.NONE:
        texts.append("Without the KL it says nothing of how likely an image is: the codes cost nothing.")
    return texts


def cross_entropy(images: Array, logits: Array) -> Array:
    """Compute the cross-entropy of images, pixels in [0, 1], summed over the pixels: (n, k) and (n, k) or (k,) -> (n,).

    In nats; `log(1 + exp(l)) - x l` of a pixel x with the logit l.
    """
    total: Array = (np.logaddexp(0, logits) - images * logits).sum(axis=1, dtype=np.float64)
    return total


def squared_error(images: Array, predictions: Array) -> Array:
    """Compute the squared error, summed over the pixels: (n, k) and (n, k) or (k,), in [0, 1] -> (n,)."""
    total: Array = np.square(images - predictions).sum(axis=1, dtype=np.float64)
    return total


def mean_image(images: Array) -> Array:
    """Return the mean of images, one black and one white one added, so that no pixel is certain: (n, k) -> (k,).

    Laplace's rule of succession: what was never seen is unlikely, not impossible.

    Args:
        images: grey, uint8, 0 to 255.

    Returns:
        pixels between 0 and 1.
    """
    mean: Array = (images.sum(axis=0, dtype=np.int64) / 255 + 1) / (len(images) + 2)
    return mean
