"""Numbers about a latent space. Arrays in, numbers out; nats where nothing else is said."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SWITCHED_OFF", "kl_of_dimensions"]

Array = NDArray[Any]

SWITCHED_OFF = 0.01  # nats: a dimension with a smaller mean KL says nothing about the image


def kl_of_dimensions(mean: Array, log_variance: Array) -> Array:
    """How much each latent dimension says: the mean over the images of KL(N(mean_i, exp(log_variance_i)) || N(0, 1)).

    Appendix B of Kingma and Welling 2013, https://arxiv.org/abs/1312.6114, before its sum over the dimensions.

    Args:
        mean: (n, d).
        log_variance: (n, d).

    Returns:
        (d,), at least 0.
    """
    mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).mean(axis=0)
