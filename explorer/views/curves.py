"""Training curves: the two terms of the ELBO during the fit, and the maps as they formed."""

import time

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import catalog, figures, latent, selection, tables
from explorer.cache import MANY, cached
from explorer.choices import Choice
from explorer.components import latent_map
from explorer.figures import X_AXES
from explorer.maps import Map
from explorer.models import ModelPair
from explorer.text import nats

__all__ = ["LOGARITHMIC", "MOMENT", "X_AXIS", "render", "reset"]

X_AXIS, LOGARITHMIC = Choice("x_axis", "updates"), Choice("log", True)
MOMENT = Choice("moment", 0)  # weight updates so far; the default is the end of the fit
FILM_STEP_SECONDS = 0.6  # while the film of the fit plays
LATE_REPORT_STEPS = 3  # after its end, in which a browser may still report the moment that it showed before
# When the film's first moment was, or would have been, on a monotonic clock; None: stopped. In the session, not in
# the URL: a link opens paused.
PLAYED_SINCE = "played_since"
HOW_MEASURED = "Mean over the test images, each pixel drawn black or white once with its grey value as probability."


def render(pair: ModelPair) -> None:
    """Draw the tab: test metrics, curves, the maps at a moment of the fit."""
    st.markdown(
        "**ELBO = reconstruction − KL**, in nats per image; higher is better. Look at the two terms pulling against "
        "each other: a better reconstruction is paid for with a larger KL. The AE has no KL to pay, and no ELBO."
    )
    *places, controls = st.columns([3, 3, 3, 3, 5])
    _figures(pair, places)
    places[0].download_button(
        "Curves as CSV",
        lambda: tables.curves({model.short.lower(): model.history for model in pair}),
        f"{pair.vae.checkpoint.path.parent.name}-curves.csv",
        key="curves_as_csv",
        on_click="ignore",
        icon=":material/download:",
    )
    x_axis = controls.segmented_control(
        "Horizontal axis", list(X_AXES), default=X_AXIS.default, required=True, **X_AXIS.bound
    )
    logarithmic = controls.toggle("Stretch the beginning (log scale)", LOGARITHMIC.default, **LOGARITHMIC.bound)
    with catalog.show_errors():
        latent_map.chart(_curves_figure(pair, x_axis, logarithmic), key="curves")
    left, middle, right = st.columns([10, 3, 14], vertical_alignment="center")
    left.markdown("**The maps as they formed**: codes of the same validation images, from the untrained models on.")
    # A button, not a switch: a switch's own value, still under way, would start a film anew that has just ended.
    playing = _is_playing(pair)
    label, icon = ("Pause", ":material/pause:") if playing else ("Play", ":material/play_arrow:")
    middle.button(label, icon=icon, key="play", on_click=_play_or_pause, args=(pair,))
    slider = right.container()
    # A timer only while it plays.
    formation = st.fragment(_formation, run_every=FILM_STEP_SECONDS if playing else None)
    formation(pair, slider, x_axis, logarithmic, playing)


@cached()
def _curves_figure(pair: ModelPair, x_axis: str, logarithmic: bool) -> go.Figure:
    """Draw the training curves of both models."""
    return figures.curves({model.name: model.history for model in pair}, x_axis, logarithmic=logarithmic)


@cached(entries=MANY)
def _snapshot_figure(map_: Map, update: int) -> go.Figure:
    """Draw a plane as it stood after so many weight updates, in the window of the codes at the end of the fit."""
    snapshots = map_.model.snapshots
    moment = int(np.searchsorted(snapshots.update, update, side="right")) - 1
    points, last = (map_.project(snapshots.code[each]) for each in (moment, -1))
    window = latent.window(last, min_side=map_.min_side)
    return figures.codes_map(points, snapshots.labels, window, map_.axes, small=True)


def _figures(pair: ModelPair, places: list[DeltaGenerator]) -> None:
    vae, ae = pair.vae.checkpoint.test, pair.ae.checkpoint.test
    shown = {
        "VAE ELBO": (vae["elbo"], "A lower bound of log p(x), the log-probability the model gives to a test image."),
        "VAE reconstruction": (vae["reconstruction"], "log p(x|z), averaged over z drawn from the encoder's Gaussian."),
        "VAE KL": (vae["kl"], "How far the encoder's Gaussians are from the prior N(0, I), on average."),
        "AE reconstruction": (ae["reconstruction"], "log p(x|f(x)). Not comparable with an ELBO, since it pays no KL."),
    }
    for place, (label, (value, meaning)) in zip(places, shown.items(), strict=True):
        place.metric(label, nats(value), help=f"{meaning} {HOW_MEASURED}")


def _formation(pair: ModelPair, place: DeltaGenerator, x_axis: str, logarithmic: bool, timed: bool) -> None:
    with catalog.show_errors():
        updates = pair.vae.snapshots.update.tolist()
        _follow_the_film(pair)
        if timed and not _is_playing(pair):
            # The whole page, whose button is outside. Asked for at each tick until it comes: Streamlit may lose one
            # request to that of the next tick.
            st.rerun()
        chosen = place.select_slider(
            "Weight updates so far",
            updates,
            updates[-1],
            disabled=timed,
            help="*Play* shows one after the other; to choose one while it plays, *Pause* first.",
            **MOMENT.bound,
        )
        curve = pair.vae.history["training"]
        x = curve.when(x_axis)
        at = float(np.interp(chosen, [0, *curve.update], [0, *x]))
        latent_map.overlay("curves", [latent_map.moment(max(at, float(x[0])) if logarithmic else at)])
        for column, map_ in zip(st.columns(2), selection.chosen_maps(pair), strict=True):
            with column:
                st.markdown(f"#### {map_.model.title}")
                # t-SNE has no place for codes of another moment: the principal plane instead.
                plane = map_ if map_.is_plane else Map(map_.model)
                latent_map.chart(_snapshot_figure(plane, chosen), key=f"map_formed_{map_.model.name}", size="film")


def reset(pair: ModelPair) -> None:
    """Show the end of the fit of other models, paused."""
    MOMENT.set(int(pair.vae.snapshots.update[-1]))
    st.session_state[PLAYED_SINCE] = None


def _play_or_pause(pair: ModelPair) -> None:
    """Run the film from the chosen moment, from the last one from the beginning; or stop it. A callback."""
    if _is_playing(pair):
        _follow_the_film(pair)
        st.session_state[PLAYED_SINCE] = None
        return
    updates = pair.vae.snapshots.update.tolist()
    moment = updates.index(st.session_state.get(MOMENT.name, updates[-1])) % (len(updates) - 1)
    st.session_state[PLAYED_SINCE] = time.monotonic() - moment * FILM_STEP_SECONDS


def _is_playing(pair: ModelPair) -> bool:
    played = _played()
    return played is not None and played < len(pair.vae.snapshots.update)


def _played() -> int | None:
    """Return how many moments of the film have been shown, or would have been if it had not ended."""
    since = st.session_state.get(PLAYED_SINCE)
    return None if since is None else int((time.monotonic() - since) / FILM_STEP_SECONDS)


def _follow_the_film(pair: ModelPair) -> None:
    """Set the moment to the film's while it plays, whatever the browser reports: it may be behind by a moment.

    To be called before the slider is drawn.
    """
    played, updates = _played(), pair.vae.snapshots.update.tolist()
    if played is not None and played < len(updates) + LATE_REPORT_STEPS:
        MOMENT.set(updates[min(played, len(updates) - 1)])
