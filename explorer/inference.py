"""The approximate and the exact posterior of one image; computed once for all sessions."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from explorer import evaluation, posterior
from explorer.cache import FEW, cached
from explorer.models import Model

__all__ = ["InferenceGap", "bound", "inference_gap"]

Array = NDArray[Any]


class InferenceGap(NamedTuple):
    """q(z|x), its ELBO, and p(z|x). log p(x) - ELBO is the inference gap (Cremer et al. 2018), on the page: gap."""

    q: posterior.DiagonalGaussian  # q(z|x), the approximate posterior
    elbo: float  # nats
    true_posterior: posterior.Posterior | None  # p(z|x) and log p(x); None with more than two dimensions


@cached()
def inference_gap(vae: Model, seen: Array) -> InferenceGap:
    """Compute q(z|x), ELBO and, in two dimensions, p(z|x) of an image, (h, w), zeros and ones."""
    q, elbo = bound(vae, seen)
    if len(q.mean) > 2:
        return InferenceGap(q, elbo, None)
    return InferenceGap(q, elbo, posterior.posterior(_decoded_grid(vae), evaluation.decoder(vae), seen.ravel(), q))


@cached()
def bound(vae: Model, seen: Array) -> tuple[posterior.DiagonalGaussian, float]:
    """Compute q(z|x) of an image, (h, w), zeros and ones, and its ELBO in nats."""
    q = evaluation.encode_posterior(vae, seen[None])[0]
    return q, posterior.elbo(evaluation.decoder(vae), seen.ravel(), q)


@cached("Decoding the whole plane, once …", entries=FEW)
def _decoded_grid(vae: Model) -> posterior.DecodedGrid:
    return evaluation.decode_grid(vae)
