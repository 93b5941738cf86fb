"""Numbers about a latent space, against independent sources."""

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from explorer import quality


def test_kl_of_dimensions_is_the_mean_kl_of_gaussians() -> None:
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(30, 4)), rng.normal(size=(30, 4))
    q = Normal(torch.tensor(mean), torch.tensor(log_variance / 2).exp())
    expected = kl_divergence(q, Normal(0.0, 1.0)).mean(dim=0)
    np.testing.assert_allclose(quality.kl_of_dimensions(mean, log_variance), expected)
    assert (quality.kl_of_dimensions(np.zeros((5, 2)), np.zeros((5, 2))) == 0).all()
