"""The belief and the truth against independent sources: torch.distributions, brute-force quadrature, sampling."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from explorer import evaluation, inference
from explorer.cache import _kept
from explorer.latent import Window
from explorer.models import Model, open_models
from explorer.posterior import (
    DecodedGrid,
    Decoder,
    DiagonalGaussian,
    TruePosterior,
    coarse_grid,
    decode_grid,
    elbo,
    importance_estimate,
    true_posterior,
    true_posterior_within,
)
from tests.conftest import brute_force
from training.datasets import Data, Split, binarise
from training.experiments import Experiment
from training.objective import EVALUATION_SEED, evaluate_per_image


@pytest.fixture(scope="module")
def vae(fitted: Path, experiment: Experiment) -> Model:
    return open_models(fitted / experiment.name).vae


@pytest.fixture(scope="module")
def decode(vae: Model) -> Decoder:
    return evaluation.decoder(vae)


@pytest.fixture(scope="module")
def coarse(vae: Model) -> DecodedGrid:
    return evaluation.decode_grid(vae)


@pytest.fixture(scope="module")
def seen(digits: Data) -> np.ndarray:
    """The test images as `evaluate_per_image` binarises them."""
    return binarise(digits.test.images, torch.Generator().manual_seed(EVALUATION_SEED)).numpy()


def few_pixels(z: np.ndarray) -> np.ndarray:
    """Five pixels whose logits are linear: a posterior nearly as wide as the prior."""
    return z @ np.array([[1.0, -2.0, 0.5, 0.0, 1.5], [0.5, 1.0, -1.0, 2.0, 0.0]]) + [0.5, 0.0, -1.0, 0.3, 0.0]


def two_rings(z: np.ndarray) -> np.ndarray:
    """Pixels that are white near either of two places, very narrowly: two modes far apart, unequal."""
    nearest = np.minimum(((z - [1.3, 0.7]) ** 2).sum(axis=1), ((z - [-1.2, -1.6]) ** 2).sum(axis=1) + 1e-4)
    return (4 - 800 * nearest)[:, None].repeat(4, axis=1)


@pytest.mark.parametrize("toy", [few_pixels, two_rings])
def test_evidence_and_moments_are_those_of_brute_force(toy: Decoder) -> None:
    image = np.array([1.0, 0.0, 1.0, 1.0, 0.0]) if toy is few_pixels else np.ones(4)
    found = true_posterior(decode_grid(toy, 5.5, 96), toy, image)
    plane, joint = brute_force(toy, image, 2401)
    assert found.log_evidence == pytest.approx(float(joint.logsumexp(0)), abs=0.006)
    weights = joint.softmax(0)
    mean = weights @ plane
    np.testing.assert_allclose(found.mean, mean, atol=0.005)
    covariance = (plane - mean).T @ ((plane - mean) * weights[:, None])
    np.testing.assert_allclose(found.covariance, covariance, rtol=0.02, atol=0.002)
    assert found.step <= found.length_scale / 3
    assert found.masses.sum() == pytest.approx(1)


def pulled_away(z: np.ndarray) -> np.ndarray:
    """Pixels that are white far to the right: their posterior lies beyond five standard deviations of the prior."""
    return 0.05 * z[:, :1].repeat(400, axis=1)


def test_a_posterior_at_the_edge_of_a_grid_is_computed_on_a_wider_one() -> None:
    image = np.ones(400)
    reaches: list[float] = []

    def grid(doublings: int) -> DecodedGrid:
        reaches.append(5.0 * 2**doublings)
        return decode_grid(pulled_away, reaches[-1], 64)

    found = true_posterior_within(grid, pulled_away, image)
    plane, joint = brute_force(pulled_away, image, 1201, reach=14.0)
    assert found.log_evidence == pytest.approx(float(joint.logsumexp(0)), abs=0.006)
    np.testing.assert_allclose(found.mean, joint.softmax(0) @ plane, atol=0.005)
    assert true_posterior(grid(0), pulled_away, image).is_cut_off
    assert not found.is_cut_off
    assert reaches == [5.0, 10.0, 20.0, 5.0]


def test_page_and_measures_widen_a_grid_that_is_too_small(
    vae: Model, decode: Decoder, seen: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.posterior.coarse_grid", lambda codes, stds, doublings=0: (0.5 * 2**doublings, 64))
    _kept.clear()
    for x in seen[:2]:
        _, joint = brute_force(decode, x.ravel(), 401)
        found = inference.inference_gap(vae, x).true_posterior
        assert found is not None
        assert found.log_evidence == pytest.approx(float(joint.logsumexp(0)), abs=0.003)
        measured = evaluation._posterior_metrics(vae, x[None].repeat(2, 0))
        assert measured["evidence"] == pytest.approx(float(joint.logsumexp(0)), abs=0.003)
    _kept.clear()


@pytest.mark.parametrize("image", [0, 7, 100])
def test_a_fitted_models_evidence_is_that_of_brute_force(
    image: int, decode: Decoder, coarse: DecodedGrid, seen: np.ndarray
) -> None:
    x = seen[image].ravel()
    _, joint = brute_force(decode, x, 401)
    assert true_posterior(coarse, decode, x).log_evidence == pytest.approx(float(joint.logsumexp(0)), abs=0.003)


def test_doubling_the_resolution_moves_next_to_nothing(
    vae: Model, decode: Decoder, coarse: DecodedGrid, seen: np.ndarray
) -> None:
    finer = decode_grid(decode, coarse.reach, 2 * coarse.side)
    for x in seen[:30].reshape(30, -1):
        rough, fine = true_posterior(coarse, decode, x), true_posterior(finer, decode, x, steps=6)
        assert fine.step <= rough.step / 1.5
        assert rough.log_evidence == pytest.approx(fine.log_evidence, abs=0.01)


def test_the_coarse_grid_follows_the_encoder() -> None:
    codes = np.array([[0.0, 7.0], [1.0, -2.0]])
    reach, side = coarse_grid(codes, np.full((2, 2), 0.03))
    assert reach == pytest.approx(1.05 * 7)
    assert side == math.ceil(2 * reach / 0.12)
    assert coarse_grid(codes / 7, np.full((2, 2), 1e-6)) == (5.0, 160)
    assert coarse_grid(codes / 7, np.ones((2, 2))) == (5.0, 64)
    assert coarse_grid(codes / 7, np.ones((2, 2)), doublings=2) == (20.0, 64)


def test_slack_is_the_divergence_of_belief_and_truth(
    vae: Model, decode: Decoder, coarse: DecodedGrid, seen: np.ndarray
) -> None:
    for x, q in zip(seen[:6], evaluation.approximate_posteriors(vae, seen[:6]), strict=True):
        found = true_posterior(coarse, decode, x.ravel())
        slack = found.log_evidence - elbo(decode, x.ravel(), q)
        # KL(q || p(z|x)) by a plain sum around the belief.
        steps = np.linspace(-7, 7, 141)
        noise = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        z = torch.as_tensor(q.mean + noise * q.std)
        log_q = Normal(torch.as_tensor(q.mean).double(), torch.as_tensor(q.std).double()).log_prob(z).sum(1)
        logits = torch.as_tensor(decode(z.numpy())).double()
        log_p = Bernoulli(logits=logits).log_prob(torch.as_tensor(x.ravel()).double()).sum(1)
        log_p += Normal(0.0, 1.0).log_prob(z).sum(1) - found.log_evidence
        cell = (steps[1] - steps[0]) ** 2 * float(q.std.prod())
        divergence = (log_q.exp() * (log_q - log_p)).sum() * cell
        assert slack == pytest.approx(float(divergence), abs=0.005)
        assert slack > 0


def test_importance_sampling_agrees_within_its_error(
    vae: Model, decode: Decoder, coarse: DecodedGrid, seen: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    stds = []
    for x, q in zip(seen[:20], evaluation.approximate_posteriors(vae, seen[:20]), strict=True):
        found = true_posterior(coarse, decode, x.ravel())
        estimate = importance_estimate(decode, x.ravel(), q, found, samples=1000, rng=rng)
        assert 0 < estimate.error < 0.1
        stds.append((estimate.value - found.log_evidence) / estimate.error)
    assert np.abs(stds).max() < 4
    assert 0.5 < np.std(stds) < 1.6
    assert abs(np.mean(stds)) < 4 / math.sqrt(20)


@pytest.mark.parametrize("pointer", ["belief", "known code"])
def test_a_needle_in_a_coarse_cell_is_found_where_something_points_at_it(pointer: str) -> None:
    place, sharpness = np.array([1.3, 0.7]), 3000.0

    def broad(z: np.ndarray) -> np.ndarray:
        return (-3 - 0.1 * (z**2).sum(axis=1))[:, None].repeat(4, axis=1)

    def with_needle(z: np.ndarray) -> np.ndarray:
        return np.maximum(broad(z), (4 - sharpness * ((z - place) ** 2).sum(axis=1))[:, None])

    image, coarse = np.ones(4), decode_grid(with_needle, 5.5, 32)
    # Around the needle, by its radius: p(z) is the same all over it.
    r = np.linspace(0, 0.15, 100_001)
    needle = 2 * np.pi * np.trapezoid(r * np.exp(-4 * np.log1p(np.exp(sharpness * r**2 - 4))), r)
    needle *= np.exp(-0.5 * (place**2).sum()) / (2 * np.pi)
    _, joint = brute_force(broad, image, 401)
    truth = np.logaddexp(float(joint.logsumexp(0)), np.log(needle))

    belief = DiagonalGaussian(place + 0.002, np.array([0.01, 0.01]))
    if pointer == "belief":
        found = true_posterior(coarse, with_needle, image, belief)
    else:  # that of another image, among many that lie elsewhere
        means = np.random.default_rng(0).uniform(-4, 0, (50, 2))
        known = DiagonalGaussian(np.vstack([means, belief.mean]), np.full((51, 2), 0.01))
        found = true_posterior(decode_grid(with_needle, 5.5, 32, known), with_needle, image)
    assert found.log_evidence == pytest.approx(truth, abs=0.01)
    assert truth - true_posterior(coarse, with_needle, image).log_evidence > 1


def test_importance_sampling_finds_what_the_grid_missed() -> None:
    # The grid is given one of the two modes only; the belief knows the other.
    def one_ring(z: np.ndarray) -> np.ndarray:
        return (4 - 800 * ((z - [1.3, 0.7]) ** 2).sum(axis=1))[:, None].repeat(4, axis=1)

    image, missed = np.ones(4), true_posterior(decode_grid(one_ring, 5.5, 96), one_ring, np.ones(4))
    belief = DiagonalGaussian(np.array([-1.2, -1.6]), np.array([0.02, 0.02]))
    found = importance_estimate(two_rings, image, belief, missed, samples=4000, rng=np.random.default_rng(1))
    truth = true_posterior(decode_grid(two_rings, 5.5, 96), two_rings, image).log_evidence
    assert truth - missed.log_evidence > 0.04
    assert found.value == pytest.approx(truth, abs=4 * found.error)
    assert found.error < (truth - missed.log_evidence) / 2


def test_elbo_agrees_with_that_of_many_samples(vae: Model, decode: Decoder, digits: Data, seen: np.ndarray) -> None:
    gaussians = evaluation.approximate_posteriors(vae, seen)
    by_quadrature = np.array([elbo(decode, x.ravel(), q) for x, q in zip(seen, gaussians, strict=True)])
    model = vae.checkpoint.load_network()
    sampled = evaluate_per_image(model, Split(digits.test.images, digits.test.labels), samples=200).elbo
    assert sampled is not None
    assert by_quadrature.mean() == pytest.approx(float(sampled.mean()), abs=0.05)
    np.testing.assert_allclose(by_quadrature, sampled, atol=1.5)
    assert by_quadrature.mean() == pytest.approx(vae.checkpoint.test["elbo"], abs=0.1)


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_a_beliefs_divergence_is_that_of_torch_distributions(latent_dim: int) -> None:
    rng = np.random.default_rng(0)
    belief = DiagonalGaussian(rng.standard_normal(latent_dim), rng.uniform(0.05, 1.5, latent_dim))
    q = Normal(torch.as_tensor(belief.mean), torch.as_tensor(belief.std))
    assert belief.kl == pytest.approx(float(kl_divergence(q, Normal(0.0, 1.0)).sum()))


def test_depth_is_a_gaussians_distance_in_standard_deviations() -> None:
    axis = np.arange(401)
    cells = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    distances = np.linalg.norm((-2 + (cells + 0.5) * 0.01) / [0.2, 0.35], axis=1)
    found = TruePosterior(0.0, 0.2, 0.01, cells, -2.0, -(distances**2) / 2)
    near = distances < 3
    np.testing.assert_allclose(found.credible_radius[near], distances[near], atol=0.03)
    x, y, rasterize = found.rasterize(Window(-0.5, -0.5, 1.0))
    assert rasterize.shape == (len(y), len(x))
    column, row = (int(np.abs(axis - at).argmin()) for axis, at in ((x, 0.2), (y, -0.35)))
    assert rasterize[row, column] == pytest.approx(math.sqrt(2), abs=0.05)
    # Beyond what was computed there is nothing.
    assert np.isnan(found.rasterize(Window(5.0, 5.0, 1.0))[2]).all()
