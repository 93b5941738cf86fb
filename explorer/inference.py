"""The approximate and the true posterior of one image; computed once for all sessions."""

from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from explorer import evaluation, posterior
from explorer.cache import cached
from explorer.models import Model

__all__ = ["InferenceGap", "inference_gap", "q_and_elbo"]

Array = NDArray[Any]


class InferenceGap(NamedTuple):
    """q(z|x), its ELBO, and p(z|x). log p(x) - ELBO is the inference gap (Cremer et al. 2018), on the page: gap."""

    q: posterior.DiagonalGaussian  # q(z|x), the approximate posterior
    elbo: float  # nats
    true_posterior: posterior.TruePosterior | None  # p(z|x) and log p(x); None with more than two dimensions


@cached()
def inference_gap(vae: Model, binary: Array) -> InferenceGap:
    """Compute q(z|x), ELBO and, in two dimensions, p(z|x) of an image, (h, w), zeros and ones."""
    q, elbo = q_and_elbo(vae, binary)
    if len(q.mean) > 2:
        return InferenceGap(q, elbo, None)
    grids, decode = partial(_decoded_grid, vae), evaluation.decoder(vae)
    return InferenceGap(q, elbo, posterior.true_posterior_within(grids, decode, binary.ravel(), q))


@cached()
def q_and_elbo(vae: Model, binary: Array) -> tuple[posterior.DiagonalGaussian, float]:
    """Compute q(z|x) of an image, (h, w), zeros and ones, and its ELBO in nats."""
    q = evaluation.approximate_posteriors(vae, binary[None])[0]
    return q, posterior.elbo(evaluation.decoder(vae), binary.ravel(), q)


@cached("Decoding the whole plane, once …")
def _decoded_grid(vae: Model, doublings: int) -> posterior.DecodedGrid:
    return evaluation.decode_grid(vae, doublings)
