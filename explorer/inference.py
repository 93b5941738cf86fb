"""What the VAE's encoder believes of one image, and what is true; computed once for all sessions."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from explorer import measures, posterior
from explorer.cache import cached
from explorer.twins import Twin

__all__ = ["Slack", "bound", "slack"]

Array = NDArray[Any]


class Slack(NamedTuple):
    """What the encoder believes of an image, and what is true."""

    belief: posterior.Belief  # q(z|x)
    elbo: float
    truth: posterior.Posterior | None  # p(z|x) and log p(x); None with more than two dimensions


@cached()
def slack(vae: Twin, seen: Array) -> Slack:
    """What a VAE's encoder believes of an image, (h, w), zeros and ones, and what is true."""
    belief, elbo = bound(vae, seen)
    if len(belief.mean) > 2:
        return Slack(belief, elbo, None)
    return Slack(belief, elbo, posterior.posterior(_lattice(vae), measures.decoder(vae), seen.ravel(), belief))


@cached()
def bound(vae: Twin, seen: Array) -> tuple[posterior.Belief, float]:
    """What the encoder believes of an image, (h, w), zeros and ones, and its ELBO in nats."""
    belief = measures.beliefs(vae, seen[None])[0]
    return belief, posterior.elbo(measures.decoder(vae), seen.ravel(), belief)


@cached("Decoding the whole plane, once …")
def _lattice(vae: Twin) -> posterior.Lattice:
    return measures.lattice(vae)
