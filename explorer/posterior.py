r"""What a VAE's encoder believes of an image, `q(z|x)`, and what is true, `p(z|x) = p(x|z) p(z) / p(x)`.

In two dimensions the integral `p(x) = \int p(x|z) N(z; 0, I) dz` can be computed on a grid, so the slack of the bound,
`log p(x) - ELBO = KL(q(z|x) || p(z|x))`, can be seen. Arrays in, numbers out, in nats; a decoder is a function from
latent points, (n, d), to the logits of the pixels, (n, pixels). Images are binarised, (pixels,), zeros and ones.

References:
    Kingma and Welling 2013, Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
    Burda et al. 2016, Importance Weighted Autoencoders, https://arxiv.org/abs/1509.00519
    Hesterberg 1995, Weighted Average Importance Sampling and Defensive Mixture Distributions, Technometrics 37 (2)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.latent import Window

__all__ = [
    "STEPS",
    "Belief",
    "Decoder",
    "Estimate",
    "Lattice",
    "Posterior",
    "coarse_grid",
    "elbo",
    "importance_estimate",
    "lattice",
    "posterior",
]

Array = NDArray[Any]
Decoder = Callable[[Array], Array]

COARSE_STEP = 4.0  # of the coarse grid, in standard deviations that all but a tenth of the encoder's exceed
COARSE_SIDES = (64, 160)  # places along each side of it, at least and at most: 40 MB, and 10,000 codes 16 MB
AT_A_TIME = 1024  # places that are decoded together: bounds the memory
LOOKED_AT = 12  # of the known codes, the likeliest, around which it is looked closely
STEPS = 3.0  # of the fine grid to the posterior's spread
LEFT_COARSE = 6e-4  # of the mass is not refined each time that the rest is
DIVISION = 4  # of a cell's side at a time, at most
NODES = 16  # of the quadrature over q, along each dimension
DRAWS = 1000  # from q, where it has too many dimensions for a quadrature
CENTRES = 200  # of the importance sampling's proposal
RASTER_SIDE = 150  # pixels of a drawn posterior, at most


class Belief(NamedTuple):
    """The encoder's Gaussian `q(z|x) = N(mean, diag(deviation^2))`."""

    mean: Array  # (d,)
    deviation: Array  # (d,)

    @property
    def kl(self) -> float:
        """`KL(q(z|x) || N(0, I))`, in nats."""
        variance = self.deviation.astype(np.float64) ** 2
        return float(0.5 * (self.mean.astype(np.float64) ** 2 + variance - 1 - np.log(variance)).sum())


class Lattice(NamedTuple):
    """The decoder on a coarse grid over the square [-reach, reach]^2 and at known codes, kept for all images."""

    reach: float
    side: int  # places along each side
    known: Belief  # of n images, (n, 2) each: between the grid's places, a mode as narrow as they may hide
    logits: Array  # (pixels, side^2 + n), float16: enough to find the modes; all figures come from finer places
    log_partition: Array  # (side^2 + n,), the sum over the pixels of softplus(logits)


@dataclass(frozen=True)
class Posterior:
    """`p(z|x)` on the fine grid around its modes."""

    log_evidence: float  # log p(x)
    spread: float  # over which it changes, where its mass is: a standard deviation if it is a Gaussian
    step: float  # of the fine grid
    cells: Array  # (n, 2), its places, as whole numbers of steps from the lower left corner of the lattice
    corner: float  # both coordinates of that corner
    log_density: Array  # (n,), of p(z|x) at those places

    @property
    def points(self) -> Array:
        """The fine grid's places, (n, 2)."""
        return self.corner + (self.cells + 0.5) * self.step

    @property
    def masses(self) -> Array:
        """The share of the fine grid's mass that each place stands for, (n,)."""
        mass = np.exp(self.log_density - self.log_density.max())
        return mass / mass.sum()

    @property
    def mean(self) -> Array:
        """(2,)"""
        return np.average(self.points, axis=0, weights=self.masses)

    @property
    def covariance(self) -> Array:
        """(2, 2)"""
        return np.cov(self.points, rowvar=False, aweights=self.masses, ddof=0)

    @property
    def depth(self) -> Array:
        """How far out each place is, (n,), in standard deviations.

        r where the denser places hold `1 - exp(-r^2 / 2)` of the mass: for a Gaussian in the plane its distance from
        the mean in standard deviations, so that its contours are the Gaussian's ellipses.
        """
        order = np.argsort(-self.log_density, kind="stable")
        mass = self.masses[order]
        denser = np.cumsum(mass) - mass / 2  # half of its own cell is denser than its middle
        found = np.empty(len(order))
        found[order] = np.sqrt(-2 * np.log1p(-np.minimum(denser, 1 - 1e-9)))
        return found

    def raster(self, area: Window) -> tuple[Array, Array, Array]:
        """`depth` on a regular grid over a part of the plane.

        Returns:
            x (m,), y (k,) and depth (k, m), m and k at most about `RASTER_SIDE`; nan where it was not computed.
        """
        block = max(1, int(np.ceil(area.side / self.step / RASTER_SIDE)))  # cells in a pixel: the densest is drawn
        low, high = (
            (np.floor((np.array(corner) - self.corner) / (self.step * block))).astype(int)
            for corner in ((area.left, area.bottom), (area.right, area.top))
        )
        low, high = low - 1, high + 1  # to the edges, and never a single row
        picture = np.full(high - low + 1, np.inf)
        pixels = self.cells // block - low
        inside = ((pixels >= 0) & (pixels < picture.shape)).all(axis=1)
        np.minimum.at(picture, tuple(pixels[inside].T), self.depth[inside])
        x, y = (
            self.corner + (start + np.arange(n) + 0.5) * self.step * block
            for start, n in zip(low, picture.shape, strict=True)
        )
        return x, y, np.where(np.isinf(picture), np.nan, picture).T


class Estimate(NamedTuple):
    """An estimate and its standard error."""

    value: float
    error: float


def coarse_grid(codes: Array, deviations: Array) -> tuple[float, int]:
    """How far a lattice must reach, and how many places it needs along each side.

    Args:
        codes: (n, 2); it reaches beyond them, and beyond the prior's five standard deviations.
        deviations: (n, 2), of the encoder's Gaussians: what is much narrower than a cell may be missed.
    """
    reach = max(5.0, 1.05 * float(np.abs(codes).max()))
    step = COARSE_STEP * float(np.quantile(deviations.min(axis=1), 0.1))
    return reach, int(np.clip(np.ceil(2 * reach / step), *COARSE_SIDES))


def lattice(decode: Decoder, reach: float, side: int, known: Belief | None = None) -> Lattice:
    """Decode a coarse grid over the square [-reach, reach]^2, and the means of what is believed of some images."""
    known = known or Belief(np.empty((0, 2)), np.empty((0, 2)))
    axis = _axis(reach, side)
    places = np.concatenate([np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2), known.mean])
    logits, log_partition = [], []
    for first in range(0, len(places), AT_A_TIME):
        part = decode(places[first : first + AT_A_TIME]).clip(-1e4, 1e4)  # half precision has no more
        logits.append(part.T.astype(np.float16))
        log_partition.append(_softplus(part).sum(axis=1, dtype=np.float64))
    return Lattice(reach, side, known, np.concatenate(logits, axis=1), np.concatenate(log_partition))


def posterior(
    coarse: Lattice, decode: Decoder, image: Array, belief: Belief | None = None, *, steps: float = STEPS
) -> Posterior:
    """The true posterior of an image, and `log p(x)`.

    The coarse grid finds the modes; the cells that matter are divided until their side is a fraction of the spread.
    A mode much narrower than a coarse cell may hide in it: it is also looked closely around the encoder's mean, and
    around those known codes where the image is likeliest.

    Args:
        coarse: of the same decoder.
        decode: two-dimensional points to logits.
        image: (pixels,), zeros and ones.
        belief: the encoder's, if there is one.
        steps: of the fine grid to the posterior's spread.
    """
    step = 2 * coarse.reach / coarse.side
    cells = np.stack(np.divmod(np.arange(coarse.side**2), coarse.side), axis=1)
    likelihood = coarse.logits[image > 0].sum(axis=0, dtype=np.float32) - coarse.log_partition
    places = np.concatenate([-coarse.reach + (cells + 0.5) * step, coarse.known.mean])
    joint, at_known = np.split(likelihood + _log_prior(places), [len(cells)])
    likeliest = np.argsort(-at_known)[:LOOKED_AT]
    means, deviations = (part[likeliest] for part in coarse.known)
    if belief is not None:
        means, deviations = np.vstack([means, belief.mean]), np.vstack([deviations, belief.deviation])
    peaks = _peaks(decode, image, Belief(means, deviations))
    left_coarse: list[Array] = []
    spread = _spread(cells, joint, step)
    peaks = peaks.that_count(joint, step)
    is_exact = False  # the coarse grid is in half precision
    # A sum over steps of one standard deviation is a Gaussian's integral to within 1e-8.
    while step > (finest := min([spread / steps, *peaks.spread])) or not is_exact:
        # A cell's corner may lie half of this above its middle, in nats, or all of it where it curves twice as much.
        hidden = (step / spread) ** 2 / 2
        order = np.argsort(joint)
        mass = np.exp(joint[order] - joint[order[-1]])
        chosen = np.empty(len(joint), bool)
        chosen[order] = np.cumsum(mass) * np.exp(hidden) > LEFT_COARSE * mass.sum()
        points = -coarse.reach + (cells + 0.5) * step
        for place in peaks.place[peaks.spread < step]:
            chosen |= (np.abs(points - place) < 1.5 * step).all(axis=1)
        left_coarse.append(joint[~chosen] + 2 * np.log(step))
        wanted = step / finest
        parts = max(1, int(np.ceil(wanted ** (1 / max(1, np.ceil(np.log(wanted) / np.log(DIVISION)))))))
        step /= parts
        offsets = np.stack(np.divmod(np.arange(parts**2), parts), axis=1)
        cells = (parts * cells[chosen, None] + offsets).reshape(-1, 2)
        points = -coarse.reach + (cells + 0.5) * step
        joint = _log_joint(decode, points, image)
        spread = _spread(cells, joint, step)
        peaks = peaks.that_count(joint, step)
        is_exact = True
    log_evidence = _log_sum(np.concatenate([*left_coarse, joint + 2 * np.log(step)]))
    return Posterior(log_evidence, spread, step, cells, -coarse.reach, joint - log_evidence)


def elbo(decode: Decoder, image: Array, belief: Belief) -> float:
    """`E_q[log p(x|z)] - KL(q(z|x) || N(0, I))`: Gauss-Hermite quadrature in two dimensions, many draws in more."""
    nodes, weights = _nodes(len(belief.mean))
    reconstruction = _log_likelihood(decode(belief.mean + nodes * belief.deviation), image)
    return float(weights @ reconstruction) - belief.kl


def importance_estimate(
    decode: Decoder, image: Array, belief: Belief, found: Posterior, *, samples: int, rng: np.random.Generator
) -> Estimate:
    """`log p(x)` by importance sampling: the log of the mean of `p(x|z) p(z) / r(z)` over draws from r.

    r is a defensive mixture: Gaussians around places drawn from the grid's posterior, q widened, and, so that no
    weight exceeds a few times p(x|z), the prior. Whatever the grid found, the mean's expectation is p(x), so this
    checks it; that of its log is below log p(x) by half its squared error.
    """
    centres = found.points[rng.choice(len(found.cells), CENTRES, p=found.masses)]
    parts = [
        (0.6, centres, np.full(2, found.spread)),
        (0.15, belief.mean[None], 1.5 * belief.deviation),
        (0.1, belief.mean[None], 5 * belief.deviation),
        (0.15, np.zeros((1, 2)), np.ones(2)),
    ]
    counts = [round(share * samples) for share, _, _ in parts]
    z = np.concatenate(
        [
            means[rng.integers(len(means), size=count)] + deviation * rng.standard_normal((count, 2))
            for count, (_, means, deviation) in zip(counts, parts, strict=True)
        ]
    )
    proposal = np.logaddexp.reduce(
        [
            np.log(count / len(z)) + _log_mixture(z, means, deviation)
            for count, (_, means, deviation) in zip(counts, parts, strict=True)
        ]
    )
    log_weights = _log_joint(decode, z, image) - proposal
    top = log_weights.max()
    weights = np.exp(log_weights - top)
    # Stratified: what the parts of the mixture differ in is no error.
    variances = [part.var(ddof=1) * len(part) for part in np.split(weights, np.cumsum(counts)[:-1])]
    error = np.sqrt(sum(variances)) / weights.sum()
    return Estimate(float(top + np.log(weights.mean())), float(error))


def _axis(reach: float, side: int) -> Array:
    return -reach + (np.arange(side) + 0.5) * 2 * reach / side


def _softplus(logits: Array) -> Array:
    return np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))


def _log_likelihood(logits: Array, image: Array) -> Array:
    """`log p(x|z)` of Bernoulli pixels: (n, pixels) and (pixels,) -> (n,)."""
    white = logits[:, image > 0].sum(axis=1, dtype=np.float64)
    return white - _softplus(logits).sum(axis=1, dtype=np.float64)


def _log_prior(z: Array) -> Array:
    """`log N(z; 0, I)`: (n, d) -> (n,)."""
    return -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)


def _log_joint(decode: Decoder, z: Array, image: Array) -> Array:
    """`log p(x, z)`: (n, d) and (pixels,) -> (n,). In parts: the logits of all are hundreds of megabytes."""
    parts = (z[first : first + AT_A_TIME] for first in range(0, max(len(z), 1), AT_A_TIME))
    return np.concatenate([_log_likelihood(decode(part), image) for part in parts]) + _log_prior(z)


def _log_mixture(z: Array, means: Array, deviation: Array) -> Array:
    """The log density of equally probable Gaussians: (n, d), (k, d) and (d,) -> (n,)."""
    distances = (((z[:, None] - means) / deviation) ** 2).sum(axis=2)
    nearest = distances.min(axis=1)
    density = np.exp((nearest[:, None] - distances) / 2).mean(axis=1)
    return np.log(density) - nearest / 2 - np.log(deviation).sum() - 0.5 * z.shape[1] * np.log(2 * np.pi)


def _log_sum(logs: Array) -> float:
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum()))


def _spread(cells: Array, joint: Array, step: float) -> float:
    """Over which length a density changes, where its mass is: a Gaussian's smallest standard deviation.

    `E[-Hessian of the log density] = E[its gradient squared]`, a matrix: the inverse covariance of a Gaussian. Its
    largest eigenvalue is the inverse square of that length, whatever the number of modes. Second differences are
    exact for a Gaussian, however large the steps.
    """
    width = int(cells.max()) + 3
    keys = (cells + 1) @ (width, 1)
    order = np.argsort(keys)
    keys, sorted_joint = keys[order], joint[order]

    def neighbour(right: int, up: int) -> Array:
        wanted = keys + right * width + up
        at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        return np.where(keys[at] == wanted, sorted_joint[at], np.nan)

    xx = neighbour(1, 0) - 2 * sorted_joint + neighbour(-1, 0)
    yy = neighbour(0, 1) - 2 * sorted_joint + neighbour(0, -1)
    xy = (neighbour(1, 1) - neighbour(1, -1) - neighbour(-1, 1) + neighbour(-1, -1)) / 4
    known = ~np.isnan(xx + yy + xy)
    if not known.any():
        return step
    weights = np.exp(sorted_joint[known] - sorted_joint[known].max())
    a, b, c = (-(part[known] * weights).sum() / weights.sum() / step**2 for part in (xx, yy, xy))
    curvature = np.linalg.eigvalsh([[a, c], [c, b]]).max()
    return float(1 / np.sqrt(max(curvature, 0.1)))  # the prior alone curves by 1


class _Peaks(NamedTuple):
    """`p(x, z)` around n places that are looked at, as if it were a Gaussian at each."""

    place: Array  # (n, 2)
    spread: Array  # (n,)
    log_mass: Array  # (n,)

    def that_count(self, joint: Array, step: float) -> "_Peaks":
        """Beside the mass that was found, (m,)."""
        counts = self.log_mass >= _log_sum(joint + 2 * np.log(step)) + np.log(LEFT_COARSE)
        return _Peaks(*(part[counts] for part in self))


def _peaks(decode: Decoder, image: Array, beliefs: Belief) -> _Peaks:
    """By each mean, (n, 2), and its eight neighbours at the belief's least deviation."""
    steps = beliefs.deviation.min(axis=1, initial=np.inf)
    cells = np.stack(np.divmod(np.arange(9), 3), axis=1)
    points = (beliefs.mean[:, None] + (cells - 1) * steps[:, None, None]).reshape(-1, 2)
    joint = _log_joint(decode, points, image).reshape(-1, 9)
    spread = np.array([_spread(cells, *each) for each in zip(joint, steps.tolist(), strict=True)])
    return _Peaks(beliefs.mean, spread, joint.max(axis=1) + np.log(2 * np.pi * spread**2))


@lru_cache
def _nodes(latent_dim: int) -> tuple[Array, Array]:
    """Points and weights that stand for a standard Gaussian: (n, d) and (n,)."""
    if latent_dim > 2:
        return np.random.default_rng(0).standard_normal((DRAWS, latent_dim)), np.full(DRAWS, 1 / DRAWS)
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    grids = np.meshgrid(*[node] * latent_dim, indexing="ij")
    weights = np.prod(np.meshgrid(*[weight / weight.sum()] * latent_dim, indexing="ij"), axis=0)
    return np.stack([grid.ravel() for grid in grids], axis=1), weights.ravel()
