"""The objective against independent sources: torch.distributions, finite differences, quadrature."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from training.datasets import Data, binarise
from training.experiments import Experiment
from training.models import MODELS, VariationalAutoencoder, build
from training.objective import bernoulli_log_likelihood, elbo_terms, evaluate, gaussian_kl, reparametrise


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("latent_dim", [1, 2, 8, 32])
def test_kl_is_that_of_torch_distributions(latent_dim: int) -> None:
    mean = 2 * torch.randn(50, latent_dim, generator=_generator())
    log_variance = 2 * torch.randn(50, latent_dim, generator=_generator(1))
    p = MultivariateNormal(torch.zeros(latent_dim), torch.eye(latent_dim))
    q_full = MultivariateNormal(mean, torch.diag_embed(log_variance.exp()))
    torch.testing.assert_close(gaussian_kl(mean, log_variance), kl_divergence(q_full, p), rtol=1e-4, atol=1e-4)


def test_kl_vanishes_at_the_prior_only() -> None:
    zero = torch.zeros(1, 3)
    assert gaussian_kl(zero, zero).item() == 0
    assert gaussian_kl(zero + 0.1, zero).item() > 0
    assert gaussian_kl(zero, zero - 0.1).item() > 0


def test_likelihood_is_that_of_torch_distributions() -> None:
    logits = 3 * torch.randn(7, 28, 28, generator=_generator())
    images = (torch.rand(7, 28, 28, generator=_generator(1)) < 0.4).float()
    expected = Independent(Bernoulli(logits=logits), 2).log_prob(images)
    torch.testing.assert_close(bernoulli_log_likelihood(logits, images), expected)


def test_samples_have_the_encoders_moments() -> None:
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 1.4]])
    samples = reparametrise(mean.expand(200_000, 2), log_variance.expand(200_000, 2), _generator())
    torch.testing.assert_close(samples.mean(0), mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(samples.var(0), log_variance[0].exp(), atol=0, rtol=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_gradients_agree_with_finite_differences(model: str, experiment: Experiment, digits: Data) -> None:
    network = build(experiment, model).double()
    images = binarise(digits.train.images[:4], _generator()).double()

    def loss() -> Tensor:
        result = elbo_terms(network, images, _generator(5))  # the same noise at each call
        return (-result.reconstruction if result.elbo is None else -result.elbo).mean()

    loss().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        # Along a random direction: every entry takes part in one difference.
        direction = torch.randn(parameter.shape, generator=_generator(6), dtype=torch.double)
        step = 1e-6
        with torch.no_grad():
            parameter.add_(direction, alpha=step)
            above = loss()
            parameter.sub_(direction, alpha=2 * step)
            below = loss()
            parameter.add_(direction, alpha=step)
        expected = (above - below) / (2 * step)
        torch.testing.assert_close((parameter.grad * direction).sum(), expected, rtol=1e-4, atol=1e-6)


def test_elbo_importance_weighted_bound_and_quadrature_are_in_order(digits: Data, experiment: Experiment) -> None:
    # Burda et al. 2015: ELBO <= L_k <= log p(x). A decoder with small weights keeps the posterior wide, so
    # that a plain grid over the plane is exact.
    network = build(experiment, "vae")
    assert isinstance(network, VariationalAutoencoder)
    images = binarise(digits.test.images[:6], _generator())
    k = 4000
    with torch.no_grad():
        mean, log_variance = network.encode_posterior(images)
        rows = torch.arange(len(images)).repeat_interleave(k)
        z = reparametrise(mean[rows], log_variance[rows], _generator(1))
        log_likelihood = bernoulli_log_likelihood(network.decode(z), images[rows])
        log_prior = Normal(0.0, 1.0).log_prob(z).sum(1)
        log_q = Normal(mean[rows], (0.5 * log_variance[rows]).exp()).log_prob(z).sum(1)
        log_weights = (log_likelihood + log_prior - log_q).view(len(images), k)

        elbo = log_weights.mean(1)
        bound = log_weights.logsumexp(1) - math.log(k)
        weights = (log_weights - log_weights.max(1, keepdim=True).values).exp()
        error = weights.std(1) / weights.mean(1) / math.sqrt(k)

        axis = torch.linspace(-6, 6, 241)
        plane = torch.cartesian_prod(axis, axis)
        cell = float(axis[1] - axis[0]) ** 2
        logits = network.decode(plane)
        prior = Normal(0.0, 1.0).log_prob(plane).sum(1)
        evidence = torch.stack(
            [
                (bernoulli_log_likelihood(logits, x.expand_as(logits)) + prior).logsumexp(0) + math.log(cell)
                for x in images
            ]
        )
        # The same samples with the closed-form KL.
        closed_form = log_likelihood.view(len(images), k).mean(1) - gaussian_kl(mean, log_variance)
    assert (elbo <= bound + 1e-4).all()
    assert (bound <= evidence + 3 * error).all()
    torch.testing.assert_close(bound, evidence, atol=float(4 * error.max()) + 0.01, rtol=0)
    torch.testing.assert_close(closed_form, elbo, atol=0.15, rtol=0)


def test_binarisation_keeps_the_grey_value_as_the_share_of_white() -> None:
    grey = torch.arange(256, dtype=torch.uint8).expand(20_000, 256)
    share = binarise(grey, _generator()).mean(0)
    assert share[0] == 0
    assert share[255] == 1
    torch.testing.assert_close(share, torch.arange(256) / 255, atol=0.02, rtol=0)


def test_evaluation_repeats_itself_and_averages_over_samples(digits: Data, experiment: Experiment) -> None:
    network = build(experiment, "vae")
    first, second = (evaluate(network, digits.test, samples=5, batch_size=size) for size in (100, 100))
    assert first.elbo is not None
    assert first.kl is not None
    assert first == second
    torch.testing.assert_close(first.elbo, first.reconstruction - first.kl)
    assert evaluate(build(experiment, "autoencoder"), digits.test).elbo is None
