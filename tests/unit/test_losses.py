"""What a loss says: in nats per image, beside landmarks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal, kl_divergence

from explorer import losses
from explorer.losses import Error, Finding, Kl, Landmark, Loss, Reduction, Scale

MEAN_BCE = Loss(value=0.2634, error=Error.BINARY, reduction=Reduction.PIXEL, kl=Kl.SUM, pixels=784)
MNIST = Scale(
    -784 * math.log(2),
    -205.7,
    None,
    (
        Landmark("AE", -118.0, False, "autoencoder"),
        Landmark("VAE", -120.0, False, "vae"),
        Landmark("ELBO", -128.0, True, "vae"),
        Landmark("log p(x)", -121.0, True, "vae"),
    ),
)
COUNTED = [
    *((error, reduction) for error in (Error.BINARY, Error.GREY) for reduction in Reduction),
    *((Error.SQUARED, reduction) for reduction in (Reduction.PIXEL, Reduction.IMAGE)),
]


def test_the_forums_number_is_the_mean_image_and_a_collapse() -> None:
    assert MEAN_BCE.nats == pytest.approx(-206.5, abs=0.05)
    assert MEAN_BCE.beta == pytest.approx(784)
    assert losses.find(MEAN_BCE, MNIST) == Finding.COLLAPSED
    assert "This is collapse" in losses.said(MEAN_BCE, MNIST)
    assert "Your KL is probably below 0.1 nats" in losses.said(MEAN_BCE, MNIST)
    assert "A *mean* over 784 pixels with a *summed* KL is beta = 784." in losses.caveats(MEAN_BCE)


def test_pixels_at_one_half_are_one_bit_each() -> None:
    bit = Loss(value=1, error=Error.BINARY, reduction=Reduction.BITS_PER_DIMENSION, kl=Kl.ALIKE, pixels=784)
    assert bit.nats == pytest.approx(-543.43, abs=0.005)
    assert losses.find(bit, MNIST) == Finding.UNTRAINED


@pytest.mark.parametrize(("error", "reduction"), COUNTED)
@pytest.mark.parametrize("kl", list(Kl))
@given(sigma=st.floats(0.05, 5), seed=st.integers(0, 1000))
def test_a_loss_as_it_is_programmed_holds_its_log_likelihood(
    error: Error, reduction: Reduction, kl: Kl, sigma: float, seed: int
) -> None:
    """Against PyTorch's losses and, independent of them, its distributions."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(5, 12, generator=generator, dtype=torch.float64)
    images = images.round() if error == Error.BINARY else images
    logits, mean, log_variance = (torch.randn(5, size, generator=generator, dtype=torch.float64) for size in (12, 3, 3))
    each = (
        (images - logits.sigmoid()).square()
        if error == Error.SQUARED
        else F.binary_cross_entropy_with_logits(logits, images, reduction="none")
    )
    kl_each = -0.5 * (1 + log_variance - mean.square() - log_variance.exp())
    is_mean = reduction in (Reduction.PIXEL, Reduction.BITS_PER_DIMENSION)
    reported = each.mean() if is_mean else each.sum(1).mean()
    reported += {
        Kl.NONE: torch.tensor(0.0),
        Kl.SUM: kl_each.sum(1).mean(),
        Kl.MEAN: kl_each.mean(),
        Kl.ALIKE: kl_each.sum(1).mean() / (12 if is_mean else 1),
    }[kl]
    if reduction in (Reduction.BITS, Reduction.BITS_PER_DIMENSION):
        reported /= math.log(2)
    loss = Loss(value=float(reported), error=error, reduction=reduction, kl=kl, pixels=12, latent_dim=3, sigma=sigma)

    distribution = (
        Normal(logits.sigmoid(), sigma)
        if error == Error.SQUARED
        else Bernoulli(logits=logits, validate_args=False)  # a grey pixel lies outside of its support
    )
    likelihood = distribution.log_prob(images).sum(1).mean()
    divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert loss.nats == pytest.approx(float(likelihood - loss.beta * divergence), rel=1e-9, abs=1e-9)


def test_a_sum_over_a_batch_is_divided_by_its_images() -> None:
    """As PyTorch's example of a VAE has it: `reduction="sum"`, plus the KL of all images."""
    images, logits = torch.rand(7, 12, dtype=torch.float64).round(), torch.randn(7, 12, dtype=torch.float64)
    mean, deviation = torch.randn(7, 3, dtype=torch.float64), torch.rand(7, 3, dtype=torch.float64) + 0.1
    divergence = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0))
    summed = F.binary_cross_entropy_with_logits(logits, images, reduction="sum") + divergence.sum()
    elbo = Bernoulli(logits=logits).log_prob(images).sum(1).mean() - divergence.sum(1).mean()
    loss = Loss(
        value=float(summed), error=Error.BINARY, reduction=Reduction.IMAGE, kl=Kl.SUM, pixels=12, latent_dim=3, images=7
    )
    assert loss.nats == pytest.approx(float(elbo))
    assert loss.beta == 1


def test_beta_is_what_weighs_the_kl_beside_the_likelihood() -> None:
    # Keras' example: binary_crossentropy is a mean, and so is K.mean over the latent dimensions.
    assert replace(MEAN_BCE, kl=Kl.MEAN, latent_dim=2).beta == pytest.approx(392)
    assert replace(MEAN_BCE, kl=Kl.ALIKE).beta == pytest.approx(1)
    assert replace(MEAN_BCE, kl=Kl.NONE).beta == 0
    squares = replace(MEAN_BCE, error=Error.SQUARED, reduction=Reduction.IMAGE)
    assert squares.beta == 0.5
    assert replace(squares, sigma=math.sqrt(0.5)).beta == pytest.approx(1)


def test_an_elbo_comes_back_in_every_unit() -> None:
    elbo = -128.36
    for reduction, value in (
        (Reduction.IMAGE, -elbo),
        (Reduction.PIXEL, -elbo / 784),
        (Reduction.BITS, -elbo / math.log(2)),
        (Reduction.BITS_PER_DIMENSION, -elbo / 784 / math.log(2)),
    ):
        loss = Loss(value=value, error=Error.BINARY, reduction=reduction, kl=Kl.ALIKE, pixels=784)
        assert loss.nats == pytest.approx(elbo)
        assert losses.caveats(loss) == []


@pytest.mark.parametrize(
    ("reduction", "kl", "value", "finding"),
    [
        (Reduction.IMAGE, Kl.SUM, 206.0, Finding.COLLAPSED),
        (Reduction.IMAGE, Kl.NONE, 206.0, Finding.COLLAPSED),
        (Reduction.PIXEL, Kl.SUM, 0.6931, Finding.UNTRAINED),
        (Reduction.IMAGE, Kl.SUM, 700.0, Finding.WORSE_THAN_HALF),
        (Reduction.IMAGE, Kl.SUM, 250.0, Finding.WORSE_THAN_MEAN_IMAGE),
        (Reduction.IMAGE, Kl.SUM, 150.0, Finding.AMONG_MODELS),
        (Reduction.IMAGE, Kl.SUM, 119.0, Finding.BEST),
        (Reduction.IMAGE, Kl.NONE, 119.0, Finding.AMONG_MODELS),
        (Reduction.IMAGE, Kl.NONE, 117.0, Finding.BEST),
    ],
)
def test_what_is_typical_is_found(reduction: Reduction, kl: Kl, value: float, finding: Finding) -> None:
    loss = replace(MEAN_BCE, value=value, reduction=reduction, kl=kl)
    assert losses.find(loss, MNIST) == finding
    assert losses.said(loss, MNIST).startswith("**")


def test_among_models_its_neighbours_are_named_that_hold_the_same_terms() -> None:
    with_kl = replace(MEAN_BCE, value=125.0, reduction=Reduction.IMAGE)
    assert "better than ELBO, and not as good as log p(x)." in losses.said(with_kl, MNIST)
    without = replace(with_kl, kl=Kl.NONE)
    assert "better than the mean image, and not as good as VAE." in losses.said(without, MNIST)


@pytest.mark.parametrize("off", [-0.04, 0.0, 0.04])
def test_a_models_own_figure_is_as_good_as_the_model_however_it_was_rounded(off: float) -> None:
    (elbo,) = [each for each in MNIST.models if each.name == "ELBO"]
    loss = replace(MEAN_BCE, value=-elbo.nats + off, reduction=Reduction.IMAGE)
    assert "it is as good as ELBO." in losses.said(loss, MNIST)
    worse = replace(loss, value=-elbo.nats + 0.1)
    assert "not as good as ELBO." in losses.said(worse, MNIST)


@pytest.mark.parametrize(("sigma", "is_elbo"), [(0.7071, True), (0.70710678, True), (0.71, False), (0.5, False)])
def test_a_sigma_of_the_root_of_one_half_leaves_the_kl_its_weight(sigma: float, is_elbo: bool) -> None:
    loss = Loss(value=43.0, error=Error.SQUARED, reduction=Reduction.IMAGE, kl=Kl.SUM, pixels=784, sigma=sigma)
    assert any("no ELBO" in text for text in losses.caveats(loss)) != is_elbo


def test_a_mean_that_was_taken_for_a_sum_is_suspected_and_the_reverse() -> None:
    as_sum = replace(MEAN_BCE, reduction=Reduction.IMAGE)
    assert "As a mean over the pixels it would be −206.5 nats per image" in losses.said(as_sum, MNIST)
    as_mean = replace(MEAN_BCE, value=150.0)
    assert "As a sum over the pixels it would be −150.0 nats per image" in losses.said(as_mean, MNIST)
    nonsense = replace(MEAN_BCE, value=1e5)
    assert "it would be" not in losses.said(nonsense, MNIST)


def test_grey_images_have_an_entropy_that_no_model_falls_below() -> None:
    grey = replace(MEAN_BCE, error=Error.GREY, value=0.03, kl=Kl.NONE)
    assert losses.find(grey, replace(MNIST, perfect=-45.5)) == Finding.IMPOSSIBLE
    assert any("no likelihood" in text for text in losses.caveats(grey))


def test_without_landmarks_nothing_is_judged_and_with_a_half_what_is_worse() -> None:
    assert losses.find(MEAN_BCE, Scale(None, None, None)) == Finding.UNKNOWN
    half = Scale(MNIST.half, None, None)
    assert losses.find(MEAN_BCE, half) == Finding.UNKNOWN
    assert losses.find(replace(MEAN_BCE, value=0.8), half) == Finding.WORSE_THAN_HALF
    assert losses.find(replace(MEAN_BCE, value=0.6931), half) == Finding.UNTRAINED


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": -1.0},
        {"images": 0},
        {"value": math.nan},
        {"value": math.inf},
        {"pixels": 0},
        {"latent_dim": 0},
        {"sigma": 0.0},
        {"error": Error.SQUARED, "reduction": Reduction.BITS},
    ],
)
def test_what_is_no_loss_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(MEAN_BCE, **wrong)  # type: ignore[arg-type]


def test_errors_are_pytorchs() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(7, 20, generator=generator, dtype=torch.float64)
    logits = 30 * torch.randn(7, 20, generator=generator, dtype=torch.float64)  # some beyond what a sigmoid can tell
    expected = F.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(1)
    np.testing.assert_allclose(losses.cross_entropy(images.numpy(), logits.numpy()), expected.numpy())
    one = losses.cross_entropy(images.numpy(), logits[0].numpy())
    assert one[0] == pytest.approx(float(expected[0]))
    squares = F.mse_loss(logits.sigmoid(), images, reduction="none").sum(1)
    np.testing.assert_allclose(losses.squared_error(images.numpy(), logits.sigmoid().numpy()), squares.numpy())


@given(st.integers(1, 50), st.integers(0, 255))
def test_no_pixel_of_the_mean_image_is_certain(count: int, grey: int) -> None:
    images = np.full((count, 3), grey, np.uint8)
    images[:, 0], images[:, 1] = 0, 255
    mean = losses.mean_image(images)
    assert ((mean > 0) & (mean < 1)).all()
    assert mean[2] == pytest.approx((count * grey / 255 + 1) / (count + 2))
