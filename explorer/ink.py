"""Ink and paper: what on a grey picture is written, without the paper's rules, and which digits that is. Arrays only.

Rules are straight lines that cross the whole picture, and are lighter or thinner than the strokes.

References:
    Otsu 1979, A Threshold Selection Method from Gray-Level Histograms, https://doi.org/10.1109/TSMC.1979.4310076
    Duda and Hart 1972, Use of the Hough Transformation to Detect Lines, https://doi.org/10.1145/361237.361242
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from PIL import Image, ImageFilter

__all__ = ["InkError", "find_digits", "has_light_border", "separate"]

Array = NDArray[Any]

MIN_INK = 1 / 16  # of the full ink; what is paler counts as dirt
MIN_PIECE = 0.02  # of the largest piece's ink; a smaller piece counts as dirt
MIN_CONTRAST = 0.08  # between ink and paper
EVEN_LIGHT = 1 / 32  # differences along the border up to which the light counts as even, as on a screen
MAX_SAMPLE = 10_000  # pixels, from which the light is estimated
MAX_SLOPE = 0.2  # of a rule, in pixels a pixel: 11 degrees, a paper that lies askew
MIN_COVERAGE = 0.6  # of a line across the picture that a rule darkens, where no stroke hides it
MAX_MISSING = 0.05  # of a rule, at either end
MIN_SEEN = 0.3  # of a rule; the rest may be hidden
LIGHTER, THINNER = 0.75, 0.6  # than the strokes: a rule, for sure
MIN_SIDE = 16  # pixels, below which rules cannot be told
MANY_RULES = 3  # parallel lines across a picture are no digit
MIN_WRITTEN = 0.02  # of the ink of all lines, lest they be the digit
THICKEST_RULE = 60  # times it fit along a picture's longer side
MAX_LINES = 150  # of rules, in each direction
MIN_DIGIT = 0.4  # of the largest digit's size; what is smaller is part of a digit, or dirt


class InkError(Exception):
    """No ink can be told from the paper; the message says what is there instead, before " on NAME"."""


def separate(grey: Array) -> Array:
    """Separate ink from paper: (h, w) in [0, 1] -> float32 (h, w), 0 is paper and 1 is ink.

    The paper is what the picture's border is of, light or dark. Uneven light is taken out, rules are, and dirt, and the
    contrast is brought to the full.

    Raises:
        InkError: there is nothing, or the rules cannot be told from the ink.
    """
    if np.ptp(grey) < MIN_CONTRAST:
        raise InkError("nothing can be seen")
    ink = grey if np.median(_border(grey)) <= _threshold(grey) else 1 - grey
    ink = ink - np.median(_border(ink))
    # Illumination correction: fit and subtract a plane, then a quadratic; pixels near the ink are left out.
    for degree in (1, 2) if np.ptp(_border(ink)) > EVEN_LIGHT else ():
        mask = Image.fromarray(ink > _threshold(ink))
        wide = mask.convert("L").filter(ImageFilter.MaxFilter(2 * (max(ink.shape) // 80) + 3))
        paper = np.asarray(wide) == 0
        ink = ink - _surface(ink, paper if paper.any() else ~np.asarray(mask), degree)
    ink = _without_rules(ink)
    threshold = _threshold(ink)
    lowest, highest = min(4 * _noise(ink), threshold), np.quantile(ink[ink >= threshold], 0.9)
    ink = ((ink - lowest) / max(highest - lowest, MIN_CONTRAST)).clip(0, 1)
    ink = _without_dirt(np.where(ink < MIN_INK, 0, ink)).astype(np.float32)
    for sides in ((ink[0], ink[-1]), (ink[:, 0], ink[:, -1])):
        if min(np.count_nonzero(np.diff(side > 0, prepend=False, append=False)) // 2 for side in sides) >= MANY_RULES:
            raise InkError("rules cannot be told from ink")
    return ink


def has_light_border(grey: Array) -> bool:
    """Return whether a picture's border is lighter than half of white: (h, w) in [0, 1]."""
    return bool(np.median(_border(grey)) > 0.5)


def _border(values: Array) -> Array:
    """Return the values along the border, each the median of a few inwards: a rule may lie on the very edge."""
    depth = 1 + 2 * (min(values.shape) // 60)
    sides = (values[:depth], values[-depth:], values[:, :depth].T, values[:, -depth:].T)
    return np.concatenate([np.median(side, axis=0) for side in sides])


def _noise(ink: Array) -> float:
    """Return the standard deviation of the paper's noise, whatever touches the border."""
    return float(1.5 * np.median(np.abs(_border(ink))))


def _threshold(values: Array) -> float:
    """Return Otsu's threshold, which maximises the variance between the two parts."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()[:-1]
    above, mass = values.size - below, (counts * centres).cumsum()
    between = (mass[-1] * below - mass[:-1] * values.size) ** 2 / np.maximum(below * above, 1)
    return float(edges[between.argmax() + 1])


def _surface(values: Array, known: Array, degree: int) -> Array:
    """Fit a polynomial in both coordinates to most values where they are known: (h, w), (h, w) -> (h, w)."""
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in values.shape)
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    rows, columns = np.nonzero(known)
    some = np.s_[:: len(rows) // MAX_SAMPLE + 1]
    rows, columns = rows[some], columns[some]
    stack = np.stack([y[rows] ** j * x[columns] ** i for i, j in powers], axis=-1)
    samples = values[rows, columns]
    weights, *_ = np.linalg.lstsq(stack, samples, rcond=None)
    # Again, without what is far off: rules, and dirt.
    rest = samples - stack @ weights
    rest = np.abs(rest - np.median(rest))
    most = rest <= 4 * np.median(rest) + 1 / 255
    weights, *_ = np.linalg.lstsq(stack[most], samples[most], rcond=None)
    terms = (weight * y[:, None] ** j * x**i for weight, (i, j) in zip(weights.astype(np.float32), powers, strict=True))
    return np.sum(list(terms), axis=0)


def _without_dirt(ink: Array) -> Array:
    # Imported here: half a second, and only pictures need it.
    from scipy.ndimage import label

    pieces, _ = label(ink > 0, np.ones((3, 3)))
    masses = np.bincount(pieces.ravel(), ink.ravel())
    return np.where((masses >= MIN_PIECE * masses.max())[pieces], ink, 0)


@dataclass(frozen=True)
class _Line:
    """A thin line across a picture, as the runs of ink across it, one a column; of an upright line one a row."""

    upright: bool
    columns: Array
    tops: Array  # the first pixels of the runs
    bottoms: Array  # the first ones behind them
    level: float  # of its ink

    @property
    def thickness(self) -> float:
        """In pixels."""
        return float(np.median(self.bottoms - self.tops))

    def on(self, shape: tuple[int, ...]) -> Array:
        """Return where the line is, and the pixel beside it, which is half of it: bool (h, w)."""
        height, width = shape[::-1] if self.upright else shape
        ends = np.zeros((height + 1, width), np.int8)
        np.add.at(ends, ((self.tops - 1).clip(0), self.columns), 1)
        np.add.at(ends, ((self.bottoms + 1).clip(None, height), self.columns), -1)
        on = ends.cumsum(0)[:-1] > 0
        return on.T if self.upright else on


def _without_rules(ink: Array) -> Array:
    """Take out the lines that cross the picture, where these are no part of what is written: (h, w) -> (h, w)."""
    from scipy.ndimage import distance_transform_edt

    threshold = _threshold(ink)
    faint = max(4 * _noise(ink), MIN_INK / 2 * float(np.quantile(ink[ink >= threshold], 0.9)))
    lines = [] if min(ink.shape) < MIN_SIDE else [*_lines(ink, faint), *_lines(ink, faint, upright=True)]
    if not lines:
        return ink
    on_lines = np.any([line.on(ink.shape) for line in lines], axis=0)
    crossing = max(line.thickness for line in lines) + 2  # what two lines leave where they cross
    written = _without_dirt(_without_specks(np.where(on_lines | (ink <= faint), 0, ink), crossing))
    is_many = max(sum(line.upright == upright for line in lines) for upright in (False, True)) >= MANY_RULES
    if written.sum() < MIN_WRITTEN * ink[on_lines].sum():
        if is_many:
            raise InkError("nothing but rules can be seen")
        return ink  # a 1, as high as its picture
    strokes = written > 0.5 * np.quantile(written[written > 0], 0.9)
    level = np.median(written[strokes])
    # A bar's mean distance to its edge is a quarter; the transform's is to the first pixel's middle beyond it.
    thickness = 4 * (distance_transform_edt(strokes)[strokes].mean() - 0.5)
    for line in lines:
        if line.level < LIGHTER * level:
            darkest = (line.level + level) / 2  # what is darker is a stroke along the rule
        elif line.thickness <= THINNER * thickness:
            darkest = np.inf
        elif is_many:
            raise InkError("rules cannot be told from ink")
        else:
            continue
        ink = np.where(line.on(ink.shape) & (ink < darkest), np.minimum(ink, 0), ink)
    return _without_specks(ink, crossing)


def _without_specks(ink: Array, size: float) -> Array:
    """Take out the pieces that are no larger than so many pixels: (h, w) -> (h, w)."""
    from scipy.ndimage import label

    pieces, n = label(ink > 0, np.ones((3, 3)))
    if n == 0:
        return ink
    boxes = _boxes(pieces)
    is_speck = (boxes[:, 1] - boxes[:, 0]).max(axis=1) <= size
    return np.where(np.concatenate([[False], is_speck])[pieces], 0, ink)


def _lines(ink: Array, faint: float, upright: bool = False) -> list[_Line]:
    """Find thin lines from side to side, or, upright, from top to bottom, by a Hough transform of the ink's runs."""
    ink = ink.T if upright else ink
    height, width = ink.shape
    edges = np.diff(np.pad(ink > faint, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    (columns, tops), (_, bottoms) = np.nonzero(edges == 1), np.nonzero(edges == -1)
    middles = (tops + bottoms - 1) / 2
    is_thin = bottoms - tops <= 2 + max(ink.shape) / THICKEST_RULE
    tolerance = max(1, round(max(ink.shape) / 200))  # pixels
    steps = int(np.ceil(MAX_SLOPE * width / (2 * tolerance)))
    slopes = np.linspace(-MAX_SLOPE, MAX_SLOPE, 2 * steps + 1)
    offsets = np.arange(-height, 2 * height)  # of a line, in the middle column
    x = columns - (width - 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([-offsets, height - offsets]) / slopes[:, None, None]
    inside = np.abs(np.diff(ends.clip(-width / 2, width / 2), axis=1)[:, 0])
    inside[steps] = np.where((offsets >= 0) & (offsets < height), width, 0)
    shift = slopes[:, None] * x - height
    thick = ~is_thin
    begun, ended = (_histograms(rows[thick] - shift[:, thick], 3 * height).cumsum(1) for rows in (tops, bottoms))
    seen = np.maximum(inside - (begun - ended), 1)  # columns in which the line is not under a stroke
    left = is_thin.copy()
    lines: list[_Line] = []
    while len(lines) < MAX_LINES:
        at = np.flatnonzero(left)
        rows = middles[at] - shift[:, at]
        sums = np.pad(_histograms(rows, 3 * height), ((0, 0), (tolerance + 1, tolerance))).cumsum(1)
        near = sums[:, 2 * tolerance + 1 :] - sums[:, : -2 * tolerance - 1]
        coverage = np.where((inside >= width / 2) & (near >= MIN_SEEN * inside), near / seen, 0)
        slope, offset = np.unravel_index(coverage.argmax(), coverage.shape)
        if coverage[slope, offset] < MIN_COVERAGE:
            break
        chosen = at[np.abs(np.rint(rows[slope]) - offset) <= tolerance]
        bend = Polynomial.fit(x[chosen], middles[chosen], 2)  # no sheet is quite flat
        chosen = at[np.abs(middles[at] - bend(x[at])) <= tolerance + 1]
        left[chosen] = False
        # A 1 is as straight, but ends within the picture.
        course = bend(np.arange(width) - (width - 1) / 2)
        on_picture = np.flatnonzero((course > -0.5) & (course < height - 0.5))
        most = MAX_MISSING * len(on_picture)
        if columns[chosen].min() > on_picture[0] + most or columns[chosen].max() < on_picture[-1] - most:
            continue
        levels = ink[middles[chosen].astype(int), columns[chosen]]
        lines.append(_Line(upright, columns[chosen], tops[chosen], bottoms[chosen], float(np.median(levels))))
    return lines


def _histograms(rows: Array, n: int) -> Array:
    """Count what is nearest to 0, 1, ..., n - 1: (m, points) -> (m, n)."""
    rows = np.rint(rows).astype(np.int64).clip(0, n - 1)
    return np.stack([np.bincount(row, minlength=n) for row in rows])


def find_digits(ink: Array) -> list[Array]:
    """Tell digits apart that do not touch, in reading order: (h, w) -> (h_i, w_i) of each, cut out.

    Pieces are of one digit where they all but touch, or where one lies over the other, as the bar of a 5 or the dot of
    an i do, but no digit over a digit does. What is much smaller than the largest is left out.
    """
    from scipy.ndimage import binary_dilation, label
    from scipy.sparse.csgraph import connected_components

    pieces, n = label(ink > 0, np.ones((3, 3)))
    if n == 0:
        return []
    boxes = _boxes(pieces)
    # Broken strokes are whole again.
    reach = int(0.015 * (boxes[:, 1] - boxes[:, 0]).max())
    if reach:
        pieces, _ = label(binary_dilation(ink > 0, np.ones((3, 3)), iterations=reach), np.ones((3, 3)))
    boxes = _boxes(pieces)
    _, digits = connected_components(_are_one(boxes), directed=False)
    pieces = np.where(ink > 0, np.concatenate([[0], digits + 1])[pieces], 0)
    boxes = _boxes(pieces)
    sizes = (boxes[:, 1] - boxes[:, 0]).max(axis=1)
    (top, left), (bottom, right) = boxes[:, 0].T, boxes[:, 1].T
    # In one line where they overlap by half of the lower one's height.
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    heights = bottom - top
    _, lines = connected_components(shared >= 0.5 * np.minimum(heights[:, None], heights), directed=False)
    line_tops = np.array([top[lines == line].min() for line in range(lines.max() + 1)])
    order = [i for i in np.lexsort((left, line_tops[lines])) if sizes[i] >= MIN_DIGIT * sizes.max()]
    cuts = [np.s_[top[i] : bottom[i], left[i] : right[i]] for i in order]
    return [np.where(pieces[cut] == i + 1, ink[cut], 0) for i, cut in zip(order, cuts, strict=True)]


def _boxes(pieces: Array) -> Array:
    """Return where labelled pieces begin and end, in y and x: (h, w) -> (n, 2, 2)."""
    from scipy.ndimage import find_objects

    return np.array([[[side.start for side in box], [side.stop for side in box]] for box in find_objects(pieces)])


def _are_one(boxes: Array) -> Array:
    """Return which pieces are of one digit, by where they begin and end: (n, 2, 2) -> bool (n, n)."""
    begin, end = boxes[:, 0], boxes[:, 1]
    shared = np.minimum(end[:, None], end) - np.maximum(begin[:, None], begin)  # in y and x; below zero: a gap
    union = np.maximum(end[:, None], end) - np.minimum(begin[:, None], begin)
    sizes, widths = (end - begin).max(axis=1), (end - begin)[:, 1]
    larger, smaller = np.maximum(sizes[:, None], sizes), np.minimum(sizes[:, None], sizes)
    gap = np.hypot(*np.moveaxis((-shared).clip(0), 2, 0)) / larger
    is_over = shared[..., 1] >= 0.3 * np.minimum(widths[:, None], widths)
    is_part = smaller < 0.5 * larger
    is_flat = union[..., 0] <= 2 * union[..., 1]  # a digit over another is higher
    over = is_over & ((gap <= 0.1) | ((is_part | is_flat) & (gap <= 0.5)))
    return over | (gap <= 0.05) & (shared[..., 1] < 0) | is_part & (gap <= 0.25)
