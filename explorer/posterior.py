r"""The approximate posterior `q(z|x)` of a VAE's encoder, and the true one, `p(z|x) = p(x|z) p(z) / p(x)`.

In two dimensions the integral `p(x) = \int p(x|z) N(z; 0, I) dz` can be computed on a grid, and with it the inference
gap, `log p(x) - ELBO = KL(q(z|x) || p(z|x))`. Arrays in, numbers out, in nats; a decoder is a function from
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
from explorer.metrics import Estimate

__all__ = [
    "POINTS_PER_LENGTH_SCALE",
    "DecodedGrid",
    "Decoder",
    "DiagonalGaussian",
    "TruePosterior",
    "coarse_grid",
    "decode_grid",
    "elbo",
    "importance_estimate",
    "true_posterior",
    "true_posterior_within",
]

Array = NDArray[Any]
Decoder = Callable[[Array], Array]

COARSE_STEP = 4.0  # grid step, in units of the 10th percentile of the encoder's standard deviations
COARSE_SIDES = (64, 160)  # fewest and most points along each side of the grid: 40 MB, and 10,000 codes 16 MB
BATCH = 1024  # points decoded at a time: bounds the memory
N_CANDIDATES = 12  # known codes with the highest likelihood, searched for modes narrower than a grid cell
POINTS_PER_LENGTH_SCALE = 3.0  # of the fine grid, per length scale of the posterior
MAX_UNREFINED_MASS = 6e-4  # posterior mass that may stay unrefined at each subdivision
MAX_DOUBLINGS = 4  # of a grid's reach, where a posterior lies at its edge
EDGE = 1 / 32  # of the reach: so wide is a grid's edge
MAX_SUBDIVISION = 4  # a cell is split into at most 4 x 4
QUADRATURE_NODES = 16  # Gauss-Hermite nodes along each dimension of q
MC_SAMPLES = 1000  # samples of q, where it has too many dimensions for a quadrature
PROPOSAL_COMPONENTS = 200  # Gaussians in the proposal of the importance sampling
RASTER_SIDE = 150  # pixels of a drawn posterior, at most


class DiagonalGaussian(NamedTuple):
    """The encoder's Gaussian `q(z|x) = N(mean, diag(std^2))`."""

    mean: Array  # (d,)
    std: Array  # (d,)

    @property
    def kl(self) -> float:
        """`KL(q(z|x) || N(0, I))`, in nats."""
        variance = self.std.astype(np.float64) ** 2
        return float(0.5 * (self.mean.astype(np.float64) ** 2 + variance - 1 - np.log(variance)).sum())


class DecodedGrid(NamedTuple):
    """Decodes on a coarse grid over the square [-reach, reach]^2 and at known codes, shared by all images."""

    reach: float
    side: int  # points along each side
    candidates: DiagonalGaussian  # q(z|x) of known images, (n, 2) each: candidates for modes narrower than a grid cell
    logits: Array  # (pixels, side^2 + n), float16: enough to find the modes; all results come from finer grids
    log_partition: Array  # (side^2 + n,), the sum over the pixels of softplus(logits)


@dataclass(frozen=True)
class TruePosterior:
    """`p(z|x)` on the fine grid around its modes."""

    log_evidence: float  # log p(x)
    length_scale: float  # see `_length_scale`; a Gaussian's smallest standard deviation
    step: float  # of the fine grid
    cells: Array  # (n, 2), grid points as whole numbers of steps from the grid's lower left corner
    corner: float  # both coordinates of that corner
    log_density: Array  # (n,), log p(z|x) at those points

    @property
    def points(self) -> Array:
        """The points of the fine grid, (n, 2)."""
        return self.corner + (self.cells + 0.5) * self.step

    @property
    def masses(self) -> Array:
        """The posterior probability of each grid cell, (n,); sums to 1."""
        mass = np.exp(self.log_density - self.log_density.max())
        return mass / mass.sum()

    @property
    def mean(self) -> Array:
        """The posterior mean, (2,)."""
        return np.average(self.points, axis=0, weights=self.masses)

    @property
    def covariance(self) -> Array:
        """The posterior covariance, (2, 2)."""
        return np.cov(self.points, rowvar=False, aweights=self.masses, ddof=0)

    @property
    def is_cut_off(self) -> bool:
        """Whether it has mass at the edge of the grid, and so more beyond."""
        at_edge = np.abs(self.points).max(axis=1) > (1 - EDGE) * -self.corner
        return bool(self.masses[at_edge].sum() > MAX_UNREFINED_MASS)

    @property
    def credible_radius(self) -> Array:
        """The credible radius of each point, (n,), in standard deviations.

        r where the denser points hold `1 - exp(-r^2 / 2)` of the mass: for a Gaussian in the plane its distance from
        the mean in standard deviations, so that its contours are the Gaussian's ellipses.
        """
        order = np.argsort(-self.log_density, kind="stable")
        mass = self.masses[order]
        denser = np.cumsum(mass) - mass / 2  # half of its own cell is denser than its middle
        radius = np.empty(len(order))
        radius[order] = np.sqrt(-2 * np.log1p(-np.minimum(denser, 1 - 1e-9)))
        return radius

    def rasterize(self, window: Window) -> tuple[Array, Array, Array]:
        """Compute `credible_radius` on a regular grid over a part of the plane.

        Returns:
            x (m,), y (k,) and radius (k, m), m and k at most about `RASTER_SIDE`; nan where it was not computed.
        """
        block = max(
            1, int(np.ceil(window.side / self.step / RASTER_SIDE))
        )  # cells to a pixel, of which the densest is drawn
        low, high = (
            (np.floor((np.array(corner) - self.corner) / (self.step * block))).astype(int)
            for corner in ((window.left, window.bottom), (window.right, window.top))
        )
        low, high = low - 1, high + 1  # to the edges, and never a single row
        raster = np.full(high - low + 1, np.inf)
        pixels = self.cells // block - low
        inside = ((pixels >= 0) & (pixels < raster.shape)).all(axis=1)
        np.minimum.at(raster, tuple(pixels[inside].T), self.credible_radius[inside])
        x, y = (
            self.corner + (start + np.arange(n) + 0.5) * self.step * block
            for start, n in zip(low, raster.shape, strict=True)
        )
        return x, y, np.where(np.isinf(raster), np.nan, raster).T


def coarse_grid(codes: Array, stds: Array, doublings: int = 0) -> tuple[float, int]:
    """Return the half-width of a grid that holds the posteriors, and its number of points along each side.

    Args:
        codes: (n, 2); the grid reaches beyond them, and beyond five standard deviations of the prior.
        stds: (n, 2), of the encoder's Gaussians; a mode much narrower than a cell may be missed.
        doublings: how many times as far it reaches, as a power of two. A model that was fitted for a short time may
            explain an image best where no code is.
    """
    reach = 2**doublings * max(5.0, 1.05 * float(np.abs(codes).max()))
    step = COARSE_STEP * float(np.quantile(stds.min(axis=1), 0.1))
    return reach, int(np.clip(np.ceil(2 * reach / step), *COARSE_SIDES))


def decode_grid(decode: Decoder, reach: float, side: int, candidates: DiagonalGaussian | None = None) -> DecodedGrid:
    """Decode a coarse grid over the square [-reach, reach]^2, and at the encoder means of known images."""
    candidates = candidates or DiagonalGaussian(np.empty((0, 2)), np.empty((0, 2)))
    axis = _axis(reach, side)
    points = np.concatenate([np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2), candidates.mean])
    logits, log_partition = [], []
    for first in range(0, len(points), BATCH):
        part = decode(points[first : first + BATCH]).clip(-1e4, 1e4)  # half precision has no more
        logits.append(part.T.astype(np.float16))
        log_partition.append(_softplus(part).sum(axis=1, dtype=np.float64))
    return DecodedGrid(reach, side, candidates, np.concatenate(logits, axis=1), np.concatenate(log_partition))


def true_posterior(
    coarse: DecodedGrid,
    decode: Decoder,
    image: Array,
    q: DiagonalGaussian | None = None,
    *,
    steps: float = POINTS_PER_LENGTH_SCALE,
) -> TruePosterior:
    """Compute the true posterior of an image, and `log p(x)`, by adaptive quadrature.

    The coarse grid finds the modes; cells that hold mass are split until their side is a fraction of the length scale.
    A mode much narrower than a coarse cell may hide in it, so the encoder's mean, and the known codes with the highest
    likelihood, are searched as well.

    Args:
        coarse: of the same decoder.
        decode: two-dimensional points to logits.
        image: (pixels,), zeros and ones.
        q: the encoder's Gaussian, if there is one.
        steps: of the fine grid, per length scale of the posterior.
    """
    step = 2 * coarse.reach / coarse.side
    cells = np.stack(np.divmod(np.arange(coarse.side**2), coarse.side), axis=1)
    likelihood = coarse.logits[image > 0].sum(axis=0, dtype=np.float32) - coarse.log_partition
    points = np.concatenate([-coarse.reach + (cells + 0.5) * step, coarse.candidates.mean])
    joint, candidate_joint = np.split(likelihood + _log_prior(points), [len(cells)])
    likeliest = np.argsort(-candidate_joint)[:N_CANDIDATES]
    means, stds = (part[likeliest] for part in coarse.candidates)
    if q is not None:
        means, stds = np.vstack([means, q.mean]), np.vstack([stds, q.std])
    peaks = _peaks(decode, image, DiagonalGaussian(means, stds))
    unrefined: list[Array] = []
    length_scale = _length_scale(cells, joint, step)
    peaks = peaks.significant(joint, step)
    is_exact = False  # the coarse grid is in half precision
    # A sum over steps of one standard deviation is a Gaussian's integral to within 1e-8.
    while step > (finest := min([length_scale / steps, *peaks.length_scale])) or not is_exact:
        # Upper bound, in nats, on how much the log density can vary inside a cell.
        variation = (step / length_scale) ** 2 / 2
        order = np.argsort(joint)
        mass = np.exp(joint[order] - joint[order[-1]])
        chosen = np.empty(len(joint), bool)
        chosen[order] = np.cumsum(mass) * np.exp(variation) > MAX_UNREFINED_MASS * mass.sum()
        points = -coarse.reach + (cells + 0.5) * step
        for point in peaks.point[peaks.length_scale < step]:
            chosen |= (np.abs(points - point) < 1.5 * step).all(axis=1)
        unrefined.append(joint[~chosen] + 2 * np.log(step))
        ratio = step / finest
        parts = max(1, int(np.ceil(ratio ** (1 / max(1, np.ceil(np.log(ratio) / np.log(MAX_SUBDIVISION)))))))
        step /= parts
        offsets = np.stack(np.divmod(np.arange(parts**2), parts), axis=1)
        cells = (parts * cells[chosen, None] + offsets).reshape(-1, 2)
        points = -coarse.reach + (cells + 0.5) * step
        joint = _log_joint(decode, points, image)
        length_scale = _length_scale(cells, joint, step)
        peaks = peaks.significant(joint, step)
        is_exact = True
    log_evidence = np.logaddexp.reduce(np.concatenate([*unrefined, joint + 2 * np.log(step)]))
    return TruePosterior(log_evidence, length_scale, step, cells, -coarse.reach, joint - log_evidence)


def true_posterior_within(
    grids: Callable[[int], DecodedGrid], decode: Decoder, image: Array, q: DiagonalGaussian | None = None
) -> TruePosterior:
    """Compute the true posterior of an image on the first grid that holds it; see `true_posterior`.

    Args:
        grids: decodes a grid whose reach is doubled so many times.
        decode: as in `true_posterior`.
        image: as in `true_posterior`.
        q: as in `true_posterior`.
    """
    for doublings in range(MAX_DOUBLINGS + 1):
        found = true_posterior(grids(doublings), decode, image, q)
        if not found.is_cut_off:
            break
    return found


def elbo(decode: Decoder, image: Array, q: DiagonalGaussian) -> float:
    """Compute `E_q[log p(x|z)] - KL(q(z|x) || N(0, I))`: by Gauss-Hermite quadrature in 2-D, by sampling in more."""
    nodes, weights = _nodes(len(q.mean))
    reconstruction = _log_likelihood(decode(q.mean + nodes * q.std), image)
    return float(weights @ reconstruction) - q.kl


def importance_estimate(
    decode: Decoder, image: Array, q: DiagonalGaussian, target: TruePosterior, *, samples: int, rng: np.random.Generator
) -> Estimate:
    """Estimate `log p(x)` by importance sampling: the log of the mean of `p(x|z) p(z) / r(z)` over draws from r.

    r is a defensive mixture: Gaussians around points drawn from the target as the grid has it, q widened, and, so that
    no weight exceeds a few times p(x|z), the prior. The mean is unbiased for p(x) however wrong the grid is, so this
    checks the quadrature; its log is biased by minus half its squared error.
    """
    centres = target.points[rng.choice(len(target.cells), PROPOSAL_COMPONENTS, p=target.masses)]
    parts = [
        (0.6, centres, np.full(2, target.length_scale)),
        (0.15, q.mean[None], 1.5 * q.std),
        (0.1, q.mean[None], 5 * q.std),
        (0.15, np.zeros((1, 2)), np.ones(2)),
    ]
    counts = [round(share * samples) for share, _, _ in parts]
    z = np.concatenate(
        [
            means[rng.integers(len(means), size=count)] + std * rng.standard_normal((count, 2))
            for count, (_, means, std) in zip(counts, parts, strict=True)
        ]
    )
    proposal = np.logaddexp.reduce(
        [
            np.log(count / len(z)) + _log_mixture(z, means, std)
            for count, (_, means, std) in zip(counts, parts, strict=True)
        ]
    )
    log_weights = _log_joint(decode, z, image) - proposal
    top = log_weights.max()
    weights = np.exp(log_weights - top)
    # Stratified sampling: only the within-component variance counts.
    variances = [part.var(ddof=1) * len(part) for part in np.split(weights, np.cumsum(counts)[:-1])]
    error = np.sqrt(sum(variances)) / weights.sum()
    return Estimate(float(top + np.log(weights.mean())), float(error))


def _axis(reach: float, side: int) -> Array:
    return -reach + (np.arange(side) + 0.5) * 2 * reach / side


def _softplus(logits: Array) -> Array:
    # np.logaddexp(0, logits) takes seven times as long.
    return np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))


def _log_likelihood(logits: Array, image: Array) -> Array:
    """Compute `log p(x|z)` of Bernoulli pixels: (n, pixels) and (pixels,) -> (n,)."""
    white = logits[:, image > 0].sum(axis=1, dtype=np.float64)
    return white - _softplus(logits).sum(axis=1, dtype=np.float64)


def _log_prior(z: Array) -> Array:
    """Compute `log N(z; 0, I)`: (n, d) -> (n,)."""
    return -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)


def _log_joint(decode: Decoder, z: Array, image: Array) -> Array:
    """Compute `log p(x, z)` in batches, whose logits bound the memory: (n, d) and (pixels,) -> (n,)."""
    parts = (z[first : first + BATCH] for first in range(0, max(len(z), 1), BATCH))
    return np.concatenate([_log_likelihood(decode(part), image) for part in parts]) + _log_prior(z)


def _log_mixture(z: Array, means: Array, std: Array) -> Array:
    """Compute the log density of a mixture of equally probable Gaussians: (n, d), (k, d) and (d,) -> (n,)."""
    distances = (((z[:, None] - means) / std) ** 2).sum(axis=2)
    nearest = distances.min(axis=1)
    density = np.exp((nearest[:, None] - distances) / 2).mean(axis=1)
    return np.log(density) - nearest / 2 - np.log(std).sum() - 0.5 * z.shape[1] * np.log(2 * np.pi)


def _length_scale(cells: Array, joint: Array, step: float) -> float:
    """Return the length scale of a density: the inverse square root of the largest eigenvalue of E[-Hessian log p].

    `E[-Hessian of the log density] = E[its gradient squared]`, a matrix: the inverse covariance of a Gaussian. Its
    largest eigenvalue is the inverse square of that length, whatever the number of modes. Second differences are
    exact for a Gaussian, however large the steps.
    """
    width = int(cells.max()) + 3
    keys = (cells + 1) @ (width, 1)
    order = np.argsort(keys)
    keys, sorted_joint = keys[order], joint[order]

    def neighbour(right: int, up: int) -> Array:
        key = keys + right * width + up
        index = np.searchsorted(keys, key).clip(max=len(keys) - 1)
        return np.where(keys[index] == key, sorted_joint[index], np.nan)

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
    """Gaussian approximations of `p(x, z)` at n candidate points."""

    point: Array  # (n, 2)
    length_scale: Array  # (n,)
    log_mass: Array  # (n,)

    def significant(self, joint: Array, step: float) -> "_Peaks":
        """Return the peaks whose mass is not negligible beside that of a grid, (m,)."""
        counts = self.log_mass >= np.logaddexp.reduce(joint + 2 * np.log(step)) + np.log(MAX_UNREFINED_MASS)
        return _Peaks(*(part[counts] for part in self))


def _peaks(decode: Decoder, image: Array, gaussians: DiagonalGaussian) -> _Peaks:
    """Fit a Gaussian at each mean by second differences on a 3 x 3 stencil, of the smallest standard deviation."""
    steps = gaussians.std.min(axis=1, initial=np.inf)
    cells = np.stack(np.divmod(np.arange(9), 3), axis=1)
    points = (gaussians.mean[:, None] + (cells - 1) * steps[:, None, None]).reshape(-1, 2)
    joint = _log_joint(decode, points, image).reshape(-1, 9)
    length_scale = np.array([_length_scale(cells, *each) for each in zip(joint, steps.tolist(), strict=True)])
    return _Peaks(gaussians.mean, length_scale, joint.max(axis=1) + np.log(2 * np.pi * length_scale**2))


@lru_cache
def _nodes(latent_dim: int) -> tuple[Array, Array]:
    """Return quadrature points and weights of a standard Gaussian: (n, d) and (n,)."""
    if latent_dim > 2:
        return np.random.default_rng(0).standard_normal((MC_SAMPLES, latent_dim)), np.full(MC_SAMPLES, 1 / MC_SAMPLES)
    node, weight = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    grids = np.meshgrid(*[node] * latent_dim, indexing="ij")
    weights = np.prod(np.meshgrid(*[weight / weight.sum()] * latent_dim, indexing="ij"), axis=0)
    return np.stack([grid.ravel() for grid in grids], axis=1), weights.ravel()
