"""What the VAE's encoder believes of one image, and what is true; computed once for all sessions."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from explorer import evaluation, posterior
from explorer.cache import cached
from explorer.models import Model

__all__ = ["InferenceGap", "bound", "slack"]

Array = NDArray[Any]


class InferenceGap(NamedTuple):
    """What the encoder believes of an image, and what is true."""

    belief: posterior.DiagonalGaussian  # q(z|x)
    elbo: float
    truth: posterior.Posterior | None  # p(z|x) and log p(x); None with more than two dimensions


@cached()
def slack(vae: Model, seen: Array) -> InferenceGap:
    """What a VAE's encoder believes of an image, (h, w), zeros and ones, and what is true."""
    belief, elbo = bound(vae, seen)
    if len(belief.mean) > 2:
        return InferenceGap(belief, elbo, None)
    return InferenceGap(
        belief, elbo, posterior.posterior(_decoded_grid(vae), evaluation.decoder(vae), seen.ravel(), belief)
    )


@cached()
def bound(vae: Model, seen: Array) -> tuple[posterior.DiagonalGaussian, float]:
    """What the encoder believes of an image, (h, w), zeros and ones, and its ELBO in nats."""
    belief = evaluation.encode_posterior(vae, seen[None])[0]
    return belief, posterior.elbo(evaluation.decoder(vae), seen.ravel(), belief)


@cached("Decoding the whole plane, once …")
def _decoded_grid(vae: Model) -> posterior.DecodedGrid:
    return evaluation.decode_grid(vae)
