"""Numbers about a latent space, against independent sources."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from torch.distributions import MultivariateNormal, kl_divergence

from explorer import metrics

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("latent_dim", [1, 2, 8])
def test_gaussian_kl_is_that_of_torch_distributions(latent_dim: int) -> None:
    codes = RNG.normal(size=(500, latent_dim)) @ RNG.normal(size=(latent_dim, latent_dim)) + 1.5
    variance = RNG.uniform(0.1, 2, latent_dim)
    covariance = torch.cov(torch.tensor(codes).T, correction=0).reshape(latent_dim, latent_dim)
    prior = MultivariateNormal(torch.zeros(latent_dim).double(), torch.eye(latent_dim).double())
    for extra in (0.0, variance):
        s = covariance + torch.diag(torch.tensor(np.broadcast_to(extra, latent_dim).copy()))
        expected = kl_divergence(MultivariateNormal(torch.tensor(codes.mean(axis=0)), s), prior)
        assert metrics.fitted_gaussian_kl(codes, extra) == pytest.approx(float(expected))


def test_standard_gaussian_codes_are_centred_and_cost_nothing() -> None:
    codes = RNG.normal(size=(200_000, 2))
    assert metrics.normalized_offset(codes) == pytest.approx(0, abs=0.01)
    assert metrics.fitted_gaussian_kl(codes) == pytest.approx(0, abs=1e-3)
    # Moved by three spreads along one axis, and scaled: the number has no unit.
    assert metrics.normalized_offset(7 * (codes + np.array([3, 0]))) == pytest.approx(3, abs=0.02)


def test_entropy_is_log_k_for_equal_shares_and_zero_for_one() -> None:
    assert metrics.entropy(np.full(10, 0.1)) == pytest.approx(math.log(10))
    assert metrics.entropy(np.eye(10)[3]) == 0
    assert str(metrics.entropy(np.eye(10)[3])) == "0.0"  # and no -0, which would be shown
    shares = RNG.dirichlet(np.ones(10))
    assert metrics.entropy(shares) == pytest.approx(
        float(torch.distributions.Categorical(torch.tensor(shares)).entropy())
    )


def test_votes_and_overlap_are_those_of_scikit_learn() -> None:
    digits = RNG.integers(0, 3, 120)
    codes = digits[:, None] + RNG.normal(size=(120, 4))
    distances, indices = metrics.neighbours(codes, 5)
    assert not (indices == np.arange(120)[:, None]).any()  # no code is its own neighbour
    assert (np.diff(distances, axis=1) >= 0).all()
    voted = cross_val_predict(KNeighborsClassifier(5), codes, digits, cv=LeaveOneOut())
    assert metrics.knn_accuracy(indices, digits, 10) == pytest.approx(accuracy_score(digits, voted))
    overlap = metrics.overlap(indices, digits, 10)
    gaps = np.linalg.norm(codes[:, None] - codes, axis=2)
    for digit in range(3):
        shares = [(digits[np.argsort(row)[1:6]] != digit).mean() for row in gaps[digits == digit]]
        assert overlap[digit] == pytest.approx(np.mean(shares))
    assert np.isnan(overlap[3:]).all()


def test_the_error_of_the_overlap_is_that_of_a_bootstrap() -> None:
    labels = np.repeat([0, 1, 3], (200, 120, 30))  # none of class 2
    indices = np.stack([RNG.choice(len(labels), 15) for _ in labels])
    shares = (labels[indices] != labels[:, None]).mean(axis=1)
    drawn = [
        np.mean([RNG.choice(shares[labels == label], (labels == label).sum()).mean() for label in (0, 1, 3)])
        for _ in range(3000)
    ]
    assert metrics.overlap_error(indices, labels, 4) == pytest.approx(np.std(drawn), rel=0.06)


def test_far_share_counts_what_lies_beyond_twice_the_median() -> None:
    assert metrics.gap_fraction(np.array([0.0, 1.9, 2.1, 5.0]), np.array([1.0, 1.0, 9.0])) == 0.5


def test_read_pictures_are_the_sure_ones_and_their_evenness() -> None:
    sure = 0.95 * np.eye(10) + 0.005
    probabilities = np.concatenate([sure, np.full((10, 10), 0.1)])
    share = metrics.confident_share(probabilities)
    assert share.value == 0.5
    assert share.error == pytest.approx(math.sqrt(0.25 / 20))
    assert metrics.class_entropy(probabilities) == pytest.approx(math.log(10))
    assert metrics.class_entropy(np.concatenate([sure[:1]] * 5)) == 0
    assert metrics.class_entropy(np.full((4, 10), 0.1)) == 0  # nothing is read


def test_standard_error_is_the_spread_of_repeated_draws() -> None:
    certain = np.where(RNG.uniform(size=(3000, 500, 1)) < 0.3, 1.0, 0.5)
    shares = [metrics.confident_share(draw) for draw in certain]
    assert np.std([share.value for share in shares]) == pytest.approx(
        np.mean([share.error for share in shares]), rel=0.05
    )


def test_even_film_has_no_jump_and_a_cut_has_one() -> None:
    even = np.linspace(0, 1, 11)[:, None, None] * np.ones((11, 4, 4))
    cut = np.zeros((11, 4, 4))
    cut[6:] = 1
    assert metrics.max_step_ratio(even[None]) == pytest.approx(1)
    assert metrics.max_step_ratio(cut[None]) == pytest.approx(10)  # all of it in one of ten steps
    assert metrics.max_step_ratio(np.stack([even, cut])) == pytest.approx(5.5)
    still = np.zeros((11, 4, 4))  # of a collapsed posterior, or from a drawing to the same drawing
    assert metrics.max_step_ratio(np.stack([still, cut])) == pytest.approx(5.5)


def test_middle_is_held_by_both_ends_together() -> None:
    probabilities = np.array([[0.5, 0.45, 0.05], [0.5, 0.05, 0.45], [0.0, 0.0, 1.0]])
    held = metrics.endpoint_share(probabilities, np.array([[0, 1], [0, 1], [2, 0]]))
    assert held.value == pytest.approx(2 / 3)
