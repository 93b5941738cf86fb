"""Training curves: the two terms of the ELBO during the fit, and the codes on the maps as they formed."""

from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from explorer import figures, images, selection, tables
from explorer.cache import cached
from explorer.choices import Choice, renamed_input
from explorer.components import latent_map
from explorer.components.card import markup, picture
from explorer.components.film import Trajectories, film, quantise
from explorer.figures import X_AXES
from explorer.maps import Map
from explorer.models import Model, ModelPair
from explorer.stage import Stage, chart_of, lay_over
from explorer.text import nats, vector
from training.experiments import EXPERIMENTS

__all__ = ["LOGARITHMIC", "MOMENT", "X_AXIS", "keep_moment", "render", "reset", "shown_moment"]

X_AXIS, LOGARITHMIC = Choice("x_axis", "updates"), Choice("log", True)
X_AXIS_WORDS = {each: each for each in X_AXES} | {"updates": "steps"}
MOMENT = Choice("moment", -1)  # training steps so far; -1: the end of the fit
HOW_MEASURED = "Mean over the test images, each pixel drawn black or white once with its grey value as probability."
HOW_MEASURED_BINARISED = "Mean over the test images, which are black and white."


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: the film of the fit on the maps, the curves, test metrics."""
    for map_, answer in zip(stage.maps, stage.answers, strict=True):
        with answer:
            _answer(map_)
    if pair.experiment.is_imported:
        stage.viewer.info(
            f"{'This model was' if pair.lacking else 'These models were'} fitted elsewhere: "
            "the curves and the film of the fit are not recorded."
        )
    else:
        _recorded(pair, stage)
    _draw_metrics(pair)
    selection.picks_inputs(stage.maps)
    st.caption("ELBO = reconstruction − KL, in nats per image; higher is better. The AE pays no KL, and has no ELBO.")


def _recorded(pair: ModelPair, stage: Stage) -> None:
    """Draw what was recorded during the fit: the film on the maps, and the curves."""
    with stage.viewer:
        watch = "**Press Play**, and watch the codes of the same validation images from before training on."
        look = " Look at the two terms pulling against each other: a better reconstruction costs a larger KL."
        st.markdown(watch + (look if pair.find("vae") else ""))
        x_axis = renamed_input("Horizontal axis", X_AXIS, X_AXIS_WORDS)
        logarithmic = st.toggle("Stretch the beginning (log scale)", LOGARITHMIC.default, **LOGARITHMIC.bound)
        st.download_button(
            "Curves as CSV",
            lambda: tables.curves({model.short.lower(): model.history for model in pair}),
            f"{pair.folder.name}-curves.csv",
            key="curves_as_csv",
            on_click="ignore",
            icon=":material/download:",
        )
    if stage.maps.either.is_plane:
        if len(pair.either.snapshots.update) > 1:
            _film(pair, stage, x_axis, logarithmic)
        else:
            st.info(f"The codes of one moment only were recorded, so there is no film: {_fit_again(pair)}")
    else:
        st.info("t-SNE has no place for codes of another moment: choose a plane (button at the top) to play the film.")
    if any(len(model.history["training"].update) > 1 for model in pair):  # a line has two points
        latent_map.chart(_curves_figure(pair, x_axis, logarithmic), key="curves")
    else:
        st.info(f"One point only was recorded during the fit, so there are no curves: {_fit_again(pair)}")


def _fit_again(pair: ModelPair) -> str:
    name = pair.folder.name
    # What was made here is not fitted anew under its own name: it may have been moved by hand.
    again = "" if name in EXPERIMENTS else f" --name {name}-again"
    return f"fit it again, `python -m training fit {name}{again}`."


def _answer(map_: Map) -> None:
    """Show the pick's decode, and the decode under the mouse."""
    point = selection.pick(map_)
    short, where = map_.model.short, vector(point)
    decode = images.data_uri(map_.decode([point])[0])
    lay_over(
        map_,
        [latent_map.pick_mark(*point)],
        on_pick=partial(selection.set_pick, map_),
        answer=markup(
            [
                picture(
                    decode,
                    f"{short}: decode of {where}",
                    name=f"pick-{map_.model.name}",
                    caption="your pick, after the fit",
                )
            ],
            kind="pick",
        ),
    )


@cached()
def _trajectories(map_: Map, updates: tuple[int, ...]) -> Trajectories:
    """Project the validation codes to a map, as last recorded at each of some moments: a fit may have been stopped."""
    snapshots = map_.model.snapshots
    recorded = np.searchsorted(snapshots.update, updates, side="right") - 1
    return quantise(chart_of(map_), np.stack([map_.project(snapshots.code[at]) for at in recorded.clip(0)]))


def _film(pair: ModelPair, stage: Stage, x_axis: str, logarithmic: bool) -> None:
    snapshots = pair.either.snapshots
    updates = snapshots.update.tolist()
    # Each model's fit has a clock of its own; steps and epochs they share.
    clocks = {figures.MODEL_COLOURS[model.name]: model for model in pair} if x_axis == "seconds" else {"": pair.either}
    film(
        [_trajectories(map_, tuple(updates)) for map_ in stage.maps],
        snapshots.labels,
        pair.classes.short_names,
        *zip(*map(figures.look, range(len(pair.classes))), strict=True),
        circled=pair.classes.fit_labels,
        moments=updates,
        at=shown_moment(updates),
        curves="curves",
        when={colour: _times(model, updates, x_axis, logarithmic) for colour, model in clocks.items()},
        on_moment=partial(keep_moment, updates),
    )


def _times(model: Model, updates: list[int], x_axis: str, logarithmic: bool) -> list[float]:
    """Return where recorded moments of a fit lie on the horizontal axis of its curves."""
    curve = model.history["training"]
    x = curve.when(x_axis)
    when = np.interp(updates, [0, *curve.update], [0, *x])
    return (np.maximum(when, float(x[0])) if logarithmic else when).tolist()


def shown_moment(updates: list[int]) -> int:
    """Return the index of the recorded moment that is chosen, the last without a choice."""
    chosen = updates[-1] if int(MOMENT.value) < 0 else int(MOMENT.value)
    return max(int(np.searchsorted(updates, chosen, side="right")) - 1, 0)


def keep_moment(updates: list[int], moment: int) -> None:
    """Keep the index of the moment at which the film was stopped; a callback."""
    MOMENT.keep(updates[moment])


@cached()
def _curves_figure(pair: ModelPair, x_axis: str, logarithmic: bool) -> go.Figure:
    """Draw the training curves of both models."""
    return figures.curves(
        {model.name: model.history for model in pair},
        x_axis,
        logarithmic=logarithmic,
        changes=figures.changes(pair.either.checkpoint.changes, pair.either.history["training"], x_axis),
    )


def _draw_metrics(pair: ModelPair) -> None:
    shown = (
        ("vae", "elbo", "A lower bound of log p(x), the log-probability the model gives to a test image."),
        ("vae", "reconstruction", "log p(x|z), averaged over z drawn from the encoder's Gaussian."),
        ("vae", "kl", "How far the encoder's Gaussians are from the prior N(0, I), on average."),
        ("autoencoder", "reconstruction", "log p(x|f(x)). Not comparable with an ELBO, since it pays no KL."),
    )
    told = [(found, term, meaning) for name, term, meaning in shown if (found := pair.find(name))]
    how = HOW_MEASURED_BINARISED if pair.experiment.binarised else HOW_MEASURED
    for place, (model, term, meaning) in zip(st.columns(len(told)), told, strict=True):
        label = f"{model.short} {term.upper() if term in ('elbo', 'kl') else term}"
        place.metric(label, nats(model.checkpoint.test[term]), help=f"{meaning} {how}")


def reset(pair: ModelPair) -> None:
    """Show the end of the fit of other models."""
    MOMENT.keep(MOMENT.default)
