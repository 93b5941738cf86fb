"""Arrays to Plotly figures. Colours and text follow Streamlit's theme where none are given here."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import find_intermediate_color, hex_to_rgb, label_rgb
from plotly.subplots import make_subplots

from explorer.classes import Classes
from explorer.latent import Window
from explorer.losses import Landmark
from explorer.sweeps import Group, LatentSize
from explorer.text import number
from training.checkpoint import Change, Curve
from training.sweep_table import Point, Terms

__all__ = [
    "AE_COLOUR",
    "CLASS_COLOURS",
    "DARK",
    "LIGHT",
    "MODEL_COLOURS",
    "SYMBOLS",
    "VAE_COLOUR",
    "Axes",
    "Look",
    "changes",
    "class_colours",
    "close_up",
    "codes_map",
    "contours",
    "curves",
    "grid_map",
    "kl_bars",
    "look",
    "loss_scale",
    "outlines",
    "point_label",
    "rate_distortion",
    "shared_colours",
    "sweep",
    "trade_off",
]

Array = NDArray[Any]

# Ten colours found by search: by CIEDE2000 at least 16.5 apart for common vision and 10.8 for protanopes and
# deuteranopes (Machado et al. 2009), contrast 1.9 or more on white and on the dark theme's background.
# MNIST's digits whose clusters touch (4 and 9, 3 and 5 and 8, ...) got the pairs that lie farthest apart.
CLASS_COLOURS = (
    "#e050b4",
    "#981aa9",
    "#d80b03",
    "#2a87f7",
    "#138767",
    "#434f63",
    "#c5be0f",
    "#6fc1f7",
    "#de9da4",
    "#392df8",
)
# Of more classes each ten have the next symbol; the legend and the film draw them, too, see `symbols.js`.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "hourglass")
DOT_SIZE, SYMBOL_SIZE = 5, 7  # pixels: corners want room
DOT_OPACITY = 0.75  # of a code, its outline included
MIN_CONTRAST = 3  # of a dot's outline and the page, see `outlines`
LIGHT, DARK = "#ffffff", "#10141c"  # the pages' backgrounds, see `.streamlit/config.toml`
AE_COLOUR, VAE_COLOUR = "#de8105", "#2a87f7"
MODEL_COLOURS = {"autoencoder": AE_COLOUR, "vae": VAE_COLOUR}
NEUTRAL = "#808080"  # reads on both themes
LOSS_COLOUR = "#d80b03"  # of the number that is translated; its form differs, too
FONT_SIZE = 16
LABEL_ROOM = 0.175  # of a close-up's side: what a label and its arrow want
CLOSE_UP_CODES = 250  # each is an element of the page, which takes its time
CLASS_MAP_OPACITY = 0.6  # codes and decodes show through
LEGEND_ABOVE = {
    "orientation": "h",
    "x": 0.5,
    "xanchor": "center",
    "y": 1.14,
    "yanchor": "bottom",
    "font": {"size": FONT_SIZE},
}
RINGS = (1, 2, 3)  # standard deviations of the prior

X_AXES = {
    "updates": "training steps",
    "epochs": "epochs (passes over the training images)",
    "seconds": "seconds of fitting",
}


UPWARDS = "upwards"  # the annotation that is the upward axis' title: a watched fit may change it, see `plotly.js`


class Axes(NamedTuple):
    """Names and units of a map's two coordinates."""

    names: tuple[str, str]
    units: tuple[str, str]
    prior: tuple[float, float] | None = None  # where the prior's centre lies, for its rings; None without a prior

    def titles(self) -> tuple[str, str]:
        """Return the titles of a map: that below it, and that above its left edge."""
        x, y = (f"{name} ({unit})" for name, unit in zip(self.names, self.units, strict=True))
        return x, f"↑ {y}"


class Look(NamedTuple):
    """How the codes of a class look, in the plot and in the legend."""

    colour: str
    symbol: str  # one of `SYMBOLS`


def look(label: int) -> Look:
    """Return how the codes of a class look: the ten colours, then the same with another symbol, and so on."""
    turn, at = divmod(label, len(CLASS_COLOURS))
    return Look(CLASS_COLOURS[at], SYMBOLS[turn % len(SYMBOLS)])


def shared_colours(classes: int) -> str:
    """Say that classes share a colour, for where no symbol tells them apart; empty if so few classes share none."""
    return "Classes that are ten apart in the legend share a colour." if classes > len(CLASS_COLOURS) else ""


@cache
def outlines(background: str, classes: int) -> tuple[str, ...]:
    """Return the classes' colours, made darker or lighter until dots outlined with them stand out from the page.

    Args:
        background: of the page, as `#rrggbb`.
        classes: their number.

    Returns:
        As `rgb(r, g, b)`; painted at `DOT_OPACITY`, their contrast with the background is at least 3, as WCAG 2.2,
        1.4.11 asks of graphics.
    """
    behind = hex_to_rgb(background)
    towards = (0, 0, 0) if _luminance(behind) > 0.5 else (255, 255, 255)

    def outline(colour: str) -> str:
        for part in range(21):
            mix = tuple(map(round, find_intermediate_color(hex_to_rgb(colour), towards, part / 20)))
            if _contrast(_painted(mix, behind), behind) >= MIN_CONTRAST:
                break
        return str(label_rgb(mix))

    ten = tuple(map(outline, CLASS_COLOURS))
    return tuple(ten[label % len(ten)] for label in range(classes))


def _painted(colour: Sequence[float], background: Sequence[float]) -> Sequence[float]:
    mixed: Sequence[float] = find_intermediate_color(background, colour, DOT_OPACITY)
    return mixed


def _contrast(one: Sequence[float], other: Sequence[float]) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(channels: Sequence[float]) -> float:
    """Return the relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    share = np.asarray(channels) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def codes_map(
    points: Array,
    labels: Array,
    window: Window,
    axes: Axes,
    classes: Classes,
    *,
    class_map: str = "",
    images: bool = False,
) -> go.Figure:
    """Draw the *codes* face of a map: a scatter plot, one trace per class.

    Args:
        points: (n, 2), the codes on the map's plane.
        labels: (n,), classes from 0.
        window: what the map shows at first.
        axes: what its coordinates are.
        classes: what the classes are called.
        class_map: an image's address, covering the window, that lies under the codes; see `class_colours`.
        images: whether the overlay draws the originals over the codes: the *images* face.
    """
    figure = _plane(window, axes)
    if images:
        figure.update_layout(meta={"images": True, "colours": [look(label).colour for label in range(len(classes))]})
    if class_map:
        _add_picture(figure, class_map, window, opacity=CLASS_MAP_OPACITY)
    present = np.unique(labels).tolist()  # of some classes there may be no test image
    for label in present:
        own = points[labels == label]
        # On a dark page the legend gives the dots the other outlines.
        line = {"color": outlines(LIGHT, len(classes))[label], "width": 1}
        figure.add_scattergl(
            x=own[:, 0],
            y=own[:, 1],
            mode="markers",
            name=str(label),
            legendgroup=str(label),
            marker=_marker(label) | {"opacity": DOT_OPACITY, "line": line},
            hoverinfo="skip",
        )
    # The names, last and so on top of all dots: what colours cannot tell, they do. Long ones the browser writes below
    # their marks, see `labels.js`.
    mode, size = ("markers+text", 23) if classes.fit_labels else ("markers", 11)
    for label in present:
        x, y = np.median(points[labels == label], axis=0).tolist()
        colour, symbol = look(label)
        figure.add_scattergl(
            x=[x],
            y=[y],
            mode=mode,
            text=[classes.short_names[label]],
            textfont={"size": 18, "color": "black"},
            marker={
                "color": "white",
                "size": size,
                "symbol": "circle" if classes.fit_labels else symbol,
                "line": {"color": colour, "width": 2.5},
            },
            legendgroup=str(label),
            name="label",
            showlegend=False,
            hoverinfo="skip",
        )
    return figure


def grid_map(picture: str, window: Window, axes: Axes, *, class_map: str = "") -> go.Figure:
    """Draw the *grid* face of a map: the window tiled with decodes.

    Args:
        picture: an image's address (a data URI), covering the window.
        window: the window.
        axes: what its coordinates are.
        class_map: an image that lies over it; see `class_colours`.
    """
    figure = _plane(window, axes)
    _add_picture(figure, picture, window)
    if class_map:
        _add_picture(figure, class_map, window, opacity=CLASS_MAP_OPACITY, layer="above")
    figure.add_scatter(x=[], y=[], showlegend=False)  # a figure without a trace shows no axes
    return figure


def close_up(points: Array, labels: Array, window: Window, axes: Axes, classes: Classes) -> go.Figure:
    """Draw a small part of a map: its codes alone, without titles, for which there is no room.

    Args:
        points: (n, 2), the codes on the map's plane.
        labels: (n,), classes from 0.
        window: what is shown at first; codes beyond it, as far as a quarter of its side, are there, too, for who pans.
            Of many codes so many are drawn as can be told apart, evenly thinned.
        axes: what the coordinates are.
        classes: what the classes are called.
    """
    figure = _plane(window, axes)
    figure.update_layout(annotations=[], margin={"t": 4, "b": 4})
    figure.update_xaxes(title=None, nticks=4)
    figure.update_yaxes(nticks=4)
    low = np.array([window.left, window.bottom]) - window.side / 4
    near = np.flatnonzero(((points >= low) & (points <= low + 1.5 * window.side)).all(axis=1))
    near = near[:: max(1, -(-len(near) // CLOSE_UP_CODES))]
    if not len(near):
        figure.add_scatter(x=[], y=[])  # a figure without a trace shows no axes
    for label in np.unique(labels[near]).tolist():
        own = points[near[labels[near] == label]]
        # Without WebGL: a browser has few contexts, and both maps need two each.
        figure.add_scatter(
            x=own[:, 0],
            y=own[:, 1],
            mode="markers",
            name=str(label),
            legendgroup=str(label),
            marker=_marker(label)
            | {"size": 7, "opacity": DOT_OPACITY, "line": {"color": outlines(LIGHT, len(classes))[label], "width": 1}},
            hoverinfo="skip",
        )
    return figure


def contours(
    x: Array, y: Array, credible_radius: Array, window: Window, axes: Axes, approximate: Array, true: Array
) -> go.Figure:
    """Draw a posterior in the plane: where its densest 39 %, 86 % and 99 % lie, a Gaussian's 1, 2 and 3 sd ellipses.

    Args:
        x: (m,).
        y: (k,).
        credible_radius: (k, m), see `TruePosterior.credible_radius`.
        window: what the map shows at first.
        axes: what its coordinates are.
        approximate: (n, 2), the outline of the encoder's Gaussian, to be labelled.
        true: (l, 2), the points of the true posterior's 2 sd region, to be labelled; any of them may lie outside.
    """
    figure = _plane(window, Axes(axes.names, ("sd of the prior", "sd of the prior")))
    r, g, b = (int(VAE_COLOUR[i : i + 2], 16) for i in (1, 3, 5))
    # Plotly draws each level's area over the lower ones: the densest comes last, and opacities add up.
    steps = (0.0, 0.3, 0.4, 0.6)
    figure.add_contour(
        x=x,
        y=y,
        z=-np.nan_to_num(credible_radius, nan=len(steps) + 1.0),
        contours={"start": 1 - len(steps), "end": -1, "size": 1, "coloring": "fill"},
        colorscale=[[i / (len(steps) - 1), f"rgba({r}, {g}, {b}, {step})"] for i, step in enumerate(steps)],
        line={"width": 0, "smoothing": 1.0},
        showscale=False,
        hoverinfo="skip",
    )
    # Labels point at the two from outside, away from each other.
    upper = true.mean(axis=0)[1] >= approximate.mean(axis=0)[1]
    _label(figure, "exact posterior p(z|x)", true, window, above=bool(upper))
    _label(figure, "encoder's guess q(z|x)", approximate, window, above=not upper)
    figure.update_layout(uirevision=repr(window), margin={"r": 6})
    return figure


def _label(figure: go.Figure, text: str, region: Array, window: Window, *, above: bool) -> None:
    """Name a region of points, (n, 2), or say at the window's edge in which direction it lies outside."""
    low, high = np.array([window.left, window.bottom]), np.array([window.right, window.top])
    visible = region[((region >= low) & (region <= high)).all(axis=1)]
    tail = np.array([0.0, -34.0 if above else 34.0])  # pixels from the arrow's head to the text, downwards positive
    anchor = "center"
    if len(visible):
        head = visible[visible[:, 1].argmax() if above else visible[:, 1].argmin()]
        across, up = (head - low) / window.side
        if not LABEL_ROOM <= up <= 1 - LABEL_ROOM:  # it is cut off there: the text stands within the window
            tail = np.array([0.0, 34.0 if up > 0.5 else -34.0])
        anchor = "right" if across > 0.7 else "left" if across < 0.3 else "center"
    else:
        direction = region.mean(axis=0) - (low + high) / 2
        direction /= np.abs(direction).max()
        head = (low + high) / 2 + 0.48 * window.side * direction
        tail = np.array([-50, 50]) * direction
        anchor = "right" if direction[0] > 0.3 else "left" if direction[0] < -0.3 else "center"
        text = f"{text}<br>outside, this way"
    figure.add_annotation(
        x=head[0],
        y=head[1],
        ax=tail[0],
        ay=tail[1],
        xanchor=anchor,
        text=text,
        font={"size": FONT_SIZE, "color": "black"},
        bgcolor="rgba(255, 255, 255, 0.85)",
        arrowcolor=NEUTRAL,
        arrowwidth=2,
        borderpad=2,
    )


def class_colours(probabilities: Array) -> Array:
    """Colour each point by the class that a classifier reads there, the less opaque the less confident.

    Args:
        probabilities: (h, w, classes).

    Returns:
        (h, w, 4), red, green, blue and opacity in [0, 1]; opacity is 0 where all classes are equally probable.
    """
    classes = probabilities.shape[-1]
    colours = np.array([hex_to_rgb(look(label).colour) for label in range(classes)]) / 255
    opacity = (probabilities.max(axis=-1, keepdims=True) - 1 / classes) / max(1 - 1 / classes, 0.5)  # one class: 0
    return np.concatenate([colours[probabilities.argmax(axis=-1)], opacity**2], axis=-1)


def _marker(label: int) -> dict[str, Any]:
    colour, symbol = look(label)
    return {"color": colour, "size": DOT_SIZE if symbol == "circle" else SYMBOL_SIZE, "symbol": symbol}


def curves(
    history: dict[str, dict[str, Curve]], x_axis: str, *, logarithmic: bool, changes: Sequence[tuple[float, str]] = ()
) -> go.Figure:
    """Draw ELBO, reconstruction and KL during a fit side by side, in nats per image; of an AE alone the reconstruction.

    Args:
        history: by model (`autoencoder`, `vae`), then by split (`training`, `validation`).
        x_axis: a key of `X_AXES`.
        logarithmic: stretch the beginning of the fit.
        changes: what was moved by hand: when, on the horizontal axis, and in words.
    """
    panels = {"elbo": "ELBO", "reconstruction": "reconstruction log p(x|z)", "kl": "KL"}
    if "vae" not in history:
        panels = {"reconstruction": panels["reconstruction"]}
    figure = make_subplots(1, len(panels), subplot_titles=list(panels.values()), horizontal_spacing=0.07)
    for model_name, label, colour in (("vae", "VAE", VAE_COLOUR), ("autoencoder", "AE", AE_COLOUR)):
        if model_name not in history:
            continue
        for split, dash in (("training", "solid"), ("validation", "dot")):
            curve = history[model_name][split]
            x = curve.when(x_axis)
            after_start = curve.update > 0  # the untrained model would flatten all that follows
            for column, term in enumerate(panels, start=1):
                values = getattr(curve, term)
                if values is None:
                    continue
                figure.add_scatter(
                    x=x[after_start],
                    y=values[after_start],
                    mode="lines",
                    name=f"{label}, {split}",
                    legendgroup=f"{model_name}-{split}",
                    line={"color": colour, "dash": dash, "width": 2.5},
                    showlegend=term == "reconstruction",
                    row=1,
                    col=column,
                    hovertemplate="%{y:.1f} nats",
                )
    for column, term in enumerate(panels, start=1):
        values = [
            value
            for splits in history.values()
            for curve in splits.values()
            if (value := getattr(curve, term)) is not None
        ]
        figure.update_yaxes(range=_settled_range(values), row=1, col=column)
    figure.update_xaxes(
        title={"text": X_AXES[x_axis] + (", log scale" if logarithmic else ""), "font": {"size": FONT_SIZE - 2}},
        type="log" if logarithmic else "linear",
        dtick=1 if logarithmic else None,
        nticks=6,
        tickfont={"size": FONT_SIZE - 2},
    )
    figure.update_yaxes(tickfont={"size": FONT_SIZE - 2}, automargin=True)
    figure.update_yaxes(title={"text": "nats per image", "font": {"size": FONT_SIZE}}, col=1)
    figure.update_annotations(font_size=FONT_SIZE + 2)
    for when, words in changes:
        # On a logarithmic axis shapes take the value, annotations its exponent.
        figure.add_vline(x=when, line={"color": NEUTRAL, "width": 2, "dash": "dash"})
        at = float(np.log10(when)) if logarithmic else when
        for column in range(1, len(panels) + 1):
            figure.add_annotation(
                {"x": at, "y": 0.02, "yref": "y domain", "yanchor": "bottom", "xanchor": "right", "text": words},
                textangle=-90,
                showarrow=False,
                font={"size": FONT_SIZE - 3},
                row=1,
                col=column,
            )
    figure.update_layout(
        height=310,
        margin={"l": 70, "r": 10, "t": 64, "b": 52, "pad": 0},
        hovermode="x",
        legend=LEGEND_ABOVE,
    )
    return figure


def changes(moved: Sequence[Change], curve: Curve, x_axis: str) -> list[tuple[float, str]]:
    """Say what was moved by hand during a fit, and when, on an axis of `curves`.

    Args:
        moved: in order.
        curve: of the same fit.
        x_axis: a key of `X_AXES`.
    """
    x = curve.when(x_axis)
    at = np.interp([change.update for change in moved], curve.update, x).tolist()
    words = (f"beta {change.beta:g}, rate {change.learning_rate:g}" for change in moved)
    return list(zip(at, words, strict=True))


def sweep(sizes: Sequence[LatentSize]) -> go.Figure:
    """Draw the study of latent sizes: reconstruction, KL and ELBO side by side, in nats per image.

    Args:
        sizes: of `explorer.sweeps`.
    """
    panels = {"reconstruction": "reconstruction", "kl": "KL", "elbo": "ELBO"}
    figure = make_subplots(1, len(panels), subplot_titles=list(panels.values()), horizontal_spacing=0.08)
    x = [size.latent_dim for size in sizes]
    for model_name, label, colour in (("vae", "VAE", VAE_COLOUR), ("autoencoder", "AE", AE_COLOUR)):
        for split, dash, symbol in (("training", "solid", "circle"), ("test", "dot", "diamond")):
            for column, term in enumerate(panels, start=1):
                if model_name == "autoencoder" and term != "reconstruction":
                    continue
                shows_active = term == "kl" and split == "test"
                figure.add_scatter(
                    x=x,
                    y=[getattr(getattr(size, split)[model_name], term) for size in sizes],
                    mode="lines+markers+text" if shows_active else "lines+markers",
                    text=[f"{size.active} of {size.latent_dim}" for size in sizes],
                    textposition=["bottom right"] * (len(x) - 1) + ["top center"],
                    textfont={"size": FONT_SIZE - 2},
                    name=f"{label}, {split} images",
                    legendgroup=f"{model_name}-{split}",
                    line={"color": colour, "dash": dash, "width": 2.5},
                    marker={"size": 9, "symbol": symbol},
                    showlegend=term == "reconstruction",
                    row=1,
                    col=column,
                    hovertemplate="%{y:.1f} nats",
                    cliponaxis=False,
                )
    font = {"size": FONT_SIZE}
    span = [float(np.log10(x[0])) - 0.08, float(np.log10(x[-1])) + 0.25]  # room for the last label
    figure.update_xaxes(
        type="log",
        tickvals=x,
        ticktext=[str(size) for size in x],
        range=span,
        title={"text": "latent dimensions, log scale", "font": font},
        tickfont=font,
    )
    figure.update_yaxes(tickfont=font, automargin=True)
    figure.update_yaxes(title={"text": "nats per image", "font": font}, col=1)
    figure.update_annotations(font_size=FONT_SIZE + 2)
    figure.update_layout(
        height=360,
        margin={"l": 70, "r": 10, "t": 64, "b": 56, "pad": 0},
        hovermode="x",
        legend=LEGEND_ABOVE,
    )
    return figure


def trade_off(points: Sequence[tuple[float, float, float]], chosen: float, autoencoder: float | None) -> go.Figure:
    """Draw the trade-off of beta: reconstruction against KL on the test images, in nats per image.

    Args:
        points: beta, reconstruction and KL of each VAE, in the order of beta.
        chosen: the beta to be marked.
        autoencoder: the AE's reconstruction; None without an AE.
    """
    betas, reconstruction, kl = zip(*points, strict=True)
    figure = go.Figure()
    if autoencoder is not None:
        figure.add_hline(
            y=autoencoder,
            line={"color": AE_COLOUR, "dash": "dash", "width": 2.5},
            annotation={"text": "AE: pays no KL", "font": {"size": FONT_SIZE, "color": AE_COLOUR}},
            annotation_position="bottom left",
        )
    figure.add_scatter(
        x=kl,
        y=reconstruction,
        mode="lines+markers+text",
        text=[f"<b>{beta:g}</b>" for beta in betas],
        textposition="bottom right",
        textfont={"size": FONT_SIZE},
        customdata=betas,
        line={"color": VAE_COLOUR, "width": 2.5},
        marker={"size": 11},
        unselected={"marker": {"opacity": 1}},  # the one that was clicked gets a ring, the others stay
        hovertemplate="beta %{text}: KL %{x:.2f}, reconstruction %{y:.2f} nats<extra></extra>",
        cliponaxis=False,
    )
    at = betas.index(chosen)
    figure.add_scatter(
        x=[kl[at]],
        y=[reconstruction[at]],
        mode="markers",
        marker={"size": 24, "symbol": "circle-open", "color": NEUTRAL, "line": {"width": 4}},
        unselected={"marker": {"opacity": 1}},
        hoverinfo="skip",
        cliponaxis=False,
    )
    font = {"size": FONT_SIZE}
    figure.update_xaxes(title={"text": "KL, nats per image", "font": font}, tickfont=font, rangemode="tozero")
    figure.update_yaxes(title={"text": "reconstruction, nats per image", "font": font}, tickfont=font)
    figure.update_layout(showlegend=False, height=330, margin={"l": 80, "r": 60, "t": 20, "b": 60, "pad": 0})
    return figure


def point_label(point: Point, names: Sequence[str]) -> str:
    """Say some settings of a model of a sweep: `beta 1, latent size 8`."""
    widths = "-".join(map(str, point.hidden_layers)) or "no layers"
    words = {
        "beta": f"beta {point.beta:g}",
        "latent_dim": f"latent size {point.latent_dim}",
        "hidden_layers": f"layers {widths}",
    }
    return ", ".join(words[name] for name in names)


def rate_distortion(groups: Sequence[Group], colour: str, kept: Mapping[Point, str]) -> go.Figure:
    """Draw the plane of rate and distortion: KL against reconstruction on the test images, in nats per image.

    Args:
        groups: the VAEs of a sweep, those that differ in the seed only together.
        colour: the setting that colours them: `beta`, `latent_dim` or `hidden_layers`. A line joins those that
            differ in beta only, or, at one beta, in the latent size only.
        kept: the experiments that hold models, by what was kept.

    Returns:
        a figure whose points have as `customdata` the experiment that holds the model, empty if none does, and beta.
    """
    figure = go.Figure()
    terms = [row.test for group in groups for row in group.rows]
    left, right = 0.0, max(each.kl for each in terms) * 1.08 + 0.5
    low, high = (edge(each.reconstruction for each in terms) for edge in (min, max))
    room = 0.06 * (high - low) + 0.5
    low, high = low - room, high + room
    for elbo in _levels(low - right, high):
        start, end = max(left, low - elbo), min(right, high - elbo)
        if end - start < 0.1 * min(right - left, high - low):
            continue  # it cuts a corner
        x = [start, start + 0.85 * (end - start), end]
        figure.add_scatter(
            x=x,
            y=[elbo + each for each in x],
            mode="lines+text",
            text=["", f"ELBO {number(elbo, 'g')}", ""],
            textposition="bottom right" if end < right else "top left",  # a line that leaves at the top has room below
            textfont={"color": NEUTRAL, "size": FONT_SIZE - 3},
            line={"color": NEUTRAL, "dash": "dot", "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    along = "beta" if len({group.point.beta for group in groups}) > 1 else "latent_dim"
    lines: dict[Point, list[Group]] = {}
    for group in sorted(groups, key=lambda group: group.point):
        point = group.point
        at_all = point._replace(beta=0.0) if along == "beta" else point._replace(latent_dim=0)
        lines.setdefault(at_all._replace(seed=0), []).append(group)
    styles = {value: look(at) for at, value in enumerate(sorted({getattr(group.point, colour) for group in groups}))}
    for line in lines.values():
        figure.add_scatter(
            x=[group.mean.kl for group in line],
            y=[group.mean.reconstruction for group in line],
            mode="lines",
            line={"color": NEUTRAL if along == colour else styles[getattr(line[0].point, colour)].colour, "width": 1.5},
            hoverinfo="skip",
            showlegend=False,
        )
    for value, style in styles.items():
        own = [group for group in groups if getattr(group.point, colour) == value]
        name = point_label(own[0].point, [colour])
        marker = {"color": style.colour, "symbol": style.symbol}
        seeds = [row for group in own if len(group.rows) > 1 for row in group.rows]
        figure.add_scatter(
            x=[row.test.kl for row in seeds],
            y=[row.test.reconstruction for row in seeds],
            mode="markers",
            marker=marker | {"size": 7, "opacity": DOT_OPACITY},
            text=[_model_words(row.point, row.test, kept.get(row.point, "")) for row in seeds],
            customdata=[(kept.get(row.point, ""), row.point.beta) for row in seeds],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            legendgroup=name,
        )
        openable = [next((kept[row.point] for row in group.rows if row.point in kept), "") for group in own]
        figure.add_scatter(
            x=[group.mean.kl for group in own],
            y=[group.mean.reconstruction for group in own],
            mode="markers",
            marker=marker | {"size": 14, "line": {"width": 2, "color": NEUTRAL}},
            text=[
                _model_words(group.point, group.mean, opened, seeds=len(group.rows))
                for group, opened in zip(own, openable, strict=True)
            ],
            customdata=[(opened, group.point.beta) for group, opened in zip(own, openable, strict=True)],
            hovertemplate="%{text}<extra></extra>",
            name=name,
            legendgroup=name,
            cliponaxis=False,
        )
    font = {"size": FONT_SIZE}
    figure.update_xaxes(
        title={"text": "KL (rate), nats per image", "font": font}, tickfont=font, range=[left, right], zeroline=False
    )
    figure.update_yaxes(
        title={"text": "reconstruction, nats per image", "font": font}, tickfont=font, range=[low, high], zeroline=False
    )
    figure.update_layout(
        height=460,
        margin={"l": 80, "r": 20, "t": 64, "b": 60, "pad": 0},
        legend=LEGEND_ABOVE | {"y": 1.02},
        hovermode="closest",
    )
    return figure


def _levels(low: float, high: float) -> list[float]:
    """Return at most eight round numbers between two."""
    step = 10.0 ** np.floor(np.log10(high - low))
    step = next(step * each for each in (0.2, 0.5, 1, 2) if (high - low) / (step * each) <= 8)
    return [float(step * each) for each in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _model_words(point: Point, terms: Terms, opened: str, *, seeds: int = 1) -> str:
    """Say what a point of the plane of rate and distortion is."""
    which = f"mean of {seeds} seeds" if seeds > 1 else f"seed {point.seed}"
    click = "<br>A click opens it." if opened else ""
    return (
        f"<b>{point_label(point, ('beta', 'latent_dim', 'hidden_layers'))}, {which}</b><br>"
        f"reconstruction {number(terms.reconstruction)}, KL {number(terms.kl)}, ELBO {number(terms.elbo)} nats{click}"
    )


def loss_scale(landmarks: Sequence[Landmark], nats: float, *, has_kl: bool) -> go.Figure:
    """Draw landmarks and a loss on one scale, a row each, in nats per image; the best at the top.

    Args:
        landmarks: those that hold other terms than the loss are hollow.
        nats: of the loss.
        has_kl: whether the loss holds a KL.
    """
    given = Landmark("<b>your number</b>", nats, has_kl)
    rows = sorted([*landmarks, given], key=lambda row: row.nats)
    known = [row.nats for row in landmarks] or [nats]
    low, high = min(known), max(known)
    room = max(0.3 * (high - low), 1.0)
    # A number far beyond the landmarks stands at the edge, or it would press them together.
    shown = min(max(nats, low - room), high + room)
    low, high = min(low, shown), max(high, shown)
    figure = go.Figure()
    figure.add_vline(x=shown, line={"color": NEUTRAL, "width": 2, "dash": "dash"}, layer="below")
    beyond = {-1: "triangle-left", 0: "diamond", 1: "triangle-right"}[int(np.sign(nats - shown))]
    colours = {**MODEL_COLOURS, "": NEUTRAL}
    is_given = [row is given for row in rows]
    figure.add_scatter(
        x=[shown if row is given else row.nats for row in rows],
        y=list(range(len(rows))),
        mode="markers+text",
        text=[f"<b>{number(row.nats, ',.1f')}</b>" if row is given else number(row.nats, ",.1f") for row in rows],
        # Away from the number, whose line would run through them.
        textposition=[
            "middle left" if row.nats < nats or (row is given and shown > (low + high) / 2) else "middle right"
            for row in rows
        ],
        textfont={"size": [FONT_SIZE + 2 if each else FONT_SIZE - 2 for each in is_given]},
        marker={
            "color": [LOSS_COLOUR if row is given else colours[row.model] for row in rows],
            "size": [20 if each else 12 for each in is_given],
            "symbol": [
                beyond if row is given else "circle" if row.has_kl in (None, has_kl) else "circle-open" for row in rows
            ],
            "line": {"width": [0 if row.has_kl in (None, has_kl) else 3 for row in rows]},
            "opacity": 1,
        },
        hoverinfo="skip",
        cliponaxis=False,
    )
    font = {"size": FONT_SIZE - 2}
    margin = 0.08 * max(high - low, 1.0)  # room for the values of the outermost
    figure.update_xaxes(
        title={"text": "nats per image, higher is better", "font": font},
        tickfont=font,
        range=[low - margin, high + margin],
        zeroline=False,
    )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[row.name for row in rows],
        tickfont=font,
        range=[-0.6, len(rows) - 0.4],
        automargin=True,
        zeroline=False,
    )
    figure.update_layout(
        showlegend=False, height=70 + 27 * len(rows), margin={"l": 20, "r": 20, "t": 8, "b": 50, "pad": 4}
    )
    return figure


def kl_bars(kl: Array, inactive_kl: float) -> go.Figure:
    """Draw the mean KL of each latent dimension as bars; inactive dimensions are grey and labelled.

    Args:
        kl: (d,), mean KL over the test images, nats.
        inactive_kl: below it a dimension counts as inactive.
    """
    active = kl >= inactive_kl
    figure = go.Figure()
    figure.add_bar(
        x=np.arange(1, len(kl) + 1),
        y=kl,
        marker={"color": [VAE_COLOUR if each else NEUTRAL for each in active]},
        text=[f"{value:.2f}" if each else "off" for value, each in zip(kl, active, strict=True)],
        textposition="outside",
        textfont={"size": FONT_SIZE - 2},
        textangle=0,
        cliponaxis=False,
        hovertemplate="dimension %{x}: %{y:.3f} nats<extra></extra>",
    )
    font = {"size": FONT_SIZE}
    figure.update_xaxes(title={"text": "latent dimension of the VAE", "font": font}, dtick=1, tickfont=font)
    figure.update_yaxes(title={"text": "mean KL, nats per image", "font": font}, tickfont=font, rangemode="tozero")
    figure.update_yaxes(autorangeoptions={"include": 10 * inactive_kl})  # next to nothing is not to fill the chart
    figure.update_layout(height=230, margin={"l": 60, "r": 10, "t": 24, "b": 50, "pad": 0}, showlegend=False)
    return figure


def _add_picture(
    figure: go.Figure, picture: str, window: Window, *, opacity: float = 1.0, layer: str = "below"
) -> None:
    figure.add_layout_image(
        source=picture,
        xref="x",
        yref="y",
        x=window.left,
        y=window.top,
        sizex=window.side,
        sizey=window.side,
        sizing="stretch",
        layer=layer,
        opacity=opacity,
    )


def _settled_range(curves: list[Array]) -> list[float]:
    """Return an axis range for curves, robust to the first steep steps and to the spikes of a single update.

    A flat curve is not magnified until its noise looks like a fall.
    """
    values = np.concatenate(curves)
    low, middle, high = np.percentile(values, [5, 50, 99]).tolist()
    span = max(high - low, 1.0, 0.03 * abs(middle))
    extra = (span - (high - low)) / 2
    bottom = low - extra - 0.1 * span
    return [max(bottom, -0.1 * span) if values.min() >= 0 else bottom, high + extra + 0.1 * span]


def _plane(window: Window, axes: Axes) -> go.Figure:
    """Return an empty square plane with equal units; margins are fixed, so that both faces and both maps coincide."""
    figure = go.Figure()
    if axes.prior is not None:
        x, y = axes.prior
        labelled = RINGS if window.side < 10 else RINGS[-1:]  # closer together, the labels would hide the rings
        for radius in RINGS:  # shapes and annotations lie above the dots
            figure.add_shape(
                type="circle",
                x0=x - radius,
                x1=x + radius,
                y0=y - radius,
                y1=y + radius,
                line={"color": NEUTRAL, "width": 2, "dash": "dash"},
            )
        for radius in labelled:
            figure.add_annotation(
                x=x + radius * np.sqrt(0.5),
                y=y - radius * np.sqrt(0.5),
                text=f"{radius} sd",
                showarrow=False,
                font={"size": 13, "color": "black"},
                bgcolor="rgba(255, 255, 255, 0.8)",
                borderpad=1,
            )
    shared = {
        "showline": True,
        "mirror": True,
        "linecolor": NEUTRAL,
        "showgrid": False,
        "zeroline": False,
        "constrain": "domain",
        "nticks": 6,
        "automargin": False,
    }
    font = {"size": FONT_SIZE - 1}
    x_title, y_title = axes.titles()
    figure.update_xaxes(
        range=[window.left, window.right],
        title={"text": x_title, "font": font, "standoff": 2},
        tickfont=font,
        constraintoward="center",
        **shared,
    )
    figure.update_yaxes(
        range=[window.bottom, window.top],
        tickfont=font,
        scaleanchor="x",
        scaleratio=1,
        constraintoward="top",
        **shared,
    )
    # The width is the map's: figures inside, the upward axis named above it.
    figure.update_xaxes(ticklabelposition="inside")
    figure.update_yaxes(ticklabelposition="inside")
    figure.add_annotation(
        name=UPWARDS,
        text=y_title,
        font=font,
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
    )
    # Never seen: through its one button the page's legend restyles the traces, see `plotly.js`.
    button = {"method": "restyle", "label": "", "args": [{}, []]}
    menu = {"type": "buttons", "x": 0, "y": 1, "xanchor": "left", "yanchor": "top", "buttons": [button]}
    figure.update_layout(updatemenus=[menu])
    margin = {"l": 4, "r": 4, "t": 26, "b": 30, "pad": 0}
    figure.update_layout(
        margin=margin,
        hovermode=False,
        dragmode="pan",
        uirevision=repr(window),
        showlegend=False,
    )
    return figure
