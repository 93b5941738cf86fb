"""What is chosen everywhere: experiment, beta, plane, how many codes, pick, ringed test image, drawing."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Any

import numpy as np
import streamlit as st

from explorer import catalog, figures, latent
from explorer.cache import cached
from explorer.choices import Choice
from explorer.classes import Classes
from explorer.maps import Map, MapPair
from explorer.models import ModelPair
from training.checkpoint import CheckpointError

__all__ = [
    "AUTHOR",
    "BETA",
    "CODES_SHOWN",
    "EXPERIMENT",
    "HIDE",
    "MAX_COORDINATE",
    "PICKS",
    "PLANE",
    "PRESENT",
    "RIGHTWARDS",
    "RINGED_IMAGE",
    "SHOW_CLASS_MAP",
    "TEACHER",
    "TOOL",
    "UPWARDS",
    "Drawing",
    "apply_pending",
    "author",
    "beta_input",
    "chosen_maps",
    "chosen_models",
    "class_map_input",
    "code_on_map",
    "codes_shown_input",
    "drawing",
    "forget_linked_points",
    "is_pending",
    "lesson_inputs",
    "nearest",
    "pick",
    "pick_inputs",
    "picks_inputs",
    "plane_inputs",
    "put_drawing",
    "ringed_image",
    "ringed_image_input",
    "set_for_page",
    "set_pick",
    "set_pick_to_code",
    "show",
    "show_button",
    "take_teacher",
    "tools_shown",
    "why_left_out",
]

_PRESENTS, _HIDDEN = "presents", "hidden_tools"  # the widgets of `PRESENT` and `HIDE`
AUTHOR = "author"  # the mark of a session on the wall; in the session, not in the URL
TEACHER = "teacher"  # the wall's key; in the address, from where it is taken at once: a beamer shows the address
_PENDING = "pending"  # choices for the page's next run; in the session, not in the URL
MAX_COORDINATE = 1e6  # of a pick: far beyond any map, and no decoder overflows
CODES_OPTIONS = (500, 1000, 2000, 5000, 10000)


class Plane(StrEnum):
    """What the maps show of a space with more than two dimensions."""

    PRINCIPAL = "principal plane"
    DIMENSIONS = "two dimensions"
    TSNE = "t-SNE, to look at only"


EXPERIMENT = Choice("experiment", "")
BETA = Choice("beta", 1.0)  # of the VAE
PLANE = Choice("plane", str(Plane.PRINCIPAL))
RIGHTWARDS, UPWARDS = Choice("rightwards", 1), Choice("upwards", 2)  # the dimensions that the maps show, from 1
CODES_SHOWN = Choice("codes", 5000)  # on a map
SHOW_CLASS_MAP = Choice("reading", False)  # whether the maps show what the classifier reads
TOOL = Choice("tab", "Explore")  # the name is that of old links
PRESENT = Choice("present", False)  # the stage alone, for a lecture
HIDE = Choice("hide", "")  # the tools that a lesson leaves out, with commas between them
RINGED_IMAGE = Choice("digit", 0)  # index of the ringed test image; the name is that of old links
PICKS = {  # of each model: both coordinates on its map; the default is where the first test image lies
    "autoencoder": (Choice("ae_x", 0.0), Choice("ae_y", 0.0)),
    "vae": (Choice("vae_x", 0.0), Choice("vae_y", 0.0)),
}


def chosen_models(name: str) -> ModelPair:
    """Return the models of an experiment, its VAE the chosen one; raises as `catalog.load`."""
    return catalog.load(name, st.session_state.get(BETA.name))


def chosen_maps(pair: ModelPair) -> MapPair:
    """Return the maps of a pair of models as chosen; raises as `catalog.map_pair`."""
    plane = st.session_state.get(PLANE.name)
    dimensions = None
    if pair.latent_dim > 2 and plane == Plane.DIMENSIONS:
        right, up = (min(int(choice.value), pair.latent_dim) for choice in (RIGHTWARDS, UPWARDS))
        dimensions = right - 1, _another(right, up, pair.latent_dim) - 1
    return catalog.map_pair(pair, dimensions, tsne=pair.latent_dim > 2 and plane == Plane.TSNE)


def _another(dimension: int, other: int, latent_dim: int) -> int:
    """Return the other dimension of a plane, from 1: the next one if it is the same, for the same twice is no plane."""
    return dimension % latent_dim + 1 if other == dimension else other


def show(tool: str, settings: Mapping[Choice[Any], Any]) -> None:
    """Open a tool, with some choices set; a callback."""
    for choice, value in settings.items():
        choice.announce(value)
    set_for_page({**settings, TOOL: tool})


def show_button(label: str, tool: str, settings: Mapping[Choice[Any], Any] | None = None, **options: Any) -> None:
    """Draw a button that opens a tool; where the lesson leaves that out it says so, and cannot be used.

    Args:
        label: of the button.
        tool: its title.
        settings: choices that are set with it.
        options: of `st.button`.
    """
    why_not = why_left_out(tool)
    st.button(label, on_click=show, args=(tool, settings or {}), disabled=bool(why_not), help=why_not, **options)


def set_for_page(settings: Mapping[Choice[Any], Any]) -> None:
    """Set choices at the beginning of the page's next run: some of their widgets may be drawn already in this one."""
    st.session_state[_PENDING] = {choice.name: value for choice, value in settings.items()}


def is_pending() -> bool:
    """Return whether choices wait for the page's next run."""
    return bool(st.session_state.get(_PENDING))


def apply_pending(on_experiment: Callable[[], None], on_beta: Callable[[], None]) -> None:
    """Set the choices that wait; to be called before any widget is drawn.

    Args:
        on_experiment: called where that is another one now, before what else waits is set.
        on_beta: the same, where only beta is another one.
    """
    waiting = st.session_state.pop(_PENDING, {})
    before, beta = EXPERIMENT.value, BETA.value
    for choice in (EXPERIMENT, BETA):
        if choice.name in waiting:
            choice.set(waiting.pop(choice.name))
    if EXPERIMENT.value != before:
        on_experiment()
    elif BETA.value != beta:
        on_beta()
    for name, value in waiting.items():
        st.session_state[name] = value


def beta_input(name: str, on_change: Callable[[], None]) -> None:
    """Draw the widget that chooses among the VAEs of an experiment, where there are several."""
    betas = catalog.betas(name)
    if len(betas) <= 1:
        return
    st.markdown("beta")
    st.select_slider(
        "Beta (weight of the KL term)",
        betas,
        catalog.load(name).vae.checkpoint.experiment.beta,
        format_func=lambda beta: f"{beta:g}",
        on_change=on_change,
        label_visibility="collapsed",
        width=90,
        help="The VAE was fitted to maximise reconstruction minus beta times KL. 1 is the ELBO. Near 0 it is "
        "nearly an AE; large, the codes say nothing any more. Everything in the app follows.",
        **BETA.bound,
    )


def plane_inputs(name: str, on_change: Callable[[], None]) -> None:
    """Draw the widgets that choose what the maps show of a space with more than two dimensions."""
    latent_dim = catalog.load(name).latent_dim
    if latent_dim == 2:
        return
    chosen = st.selectbox(
        "The maps show",
        [str(plane) for plane in Plane],
        on_change=on_change,
        help="A map is a plane in a space of more dimensions. *principal plane*: the one in which the codes spread "
        "most (first two principal components). *two dimensions*: two of the latent dimensions, the others held at the "
        "codes' mean. *t-SNE* is no plane: neighbours stay neighbours, and everything else is bent.",
        **PLANE.bound,
    )
    if chosen != Plane.DIMENSIONS:
        return

    def take(dimension: Choice[int], other: Choice[int]) -> None:
        other.set(_another(dimension.value, other.value, latent_dim))
        on_change()

    with st.container(horizontal=True):
        for label, choice, other in (("Rightwards", RIGHTWARDS, UPWARDS), ("Upwards", UPWARDS, RIGHTWARDS)):
            options = {"on_change": take, "args": (choice, other), "width": 100, **choice.bound}
            st.number_input(label, 1, latent_dim, choice.default, **options)
    if RIGHTWARDS.value == UPWARDS.value:  # in a link, from which widgets take their first values
        set_for_page({UPWARDS: _another(RIGHTWARDS.value, UPWARDS.value, latent_dim)})
        st.rerun()


def codes_shown_input(codes: int) -> None:
    """Draw the widget that chooses how many codes a map shows, of as many as there are."""
    few = codes <= CODES_OPTIONS[0]
    st.select_slider(
        f"Number of test images shown: all {codes}" if few else "Number of test images shown",
        CODES_OPTIONS,
        CODES_SHOWN.default,
        disabled=few,
        help="Fewer are faster to draw. What is said of a point is always computed from all of them.",
        **CODES_SHOWN.bound,
    )


def class_map_input(classes: Classes) -> None:
    """Draw the widget that lays over the maps which class the classifier reads."""
    st.toggle(
        f"Colour the background by the classifier's {classes.noun}",
        help=f"Each place of a map has the colour of the {classes.noun} that a classifier reads there. The fainter, "
        f"the less sure it is. {figures.shared_colours(len(classes))}",
        **SHOW_CLASS_MAP.bound,
    )


def tools_shown(tools: Sequence[str]) -> list[str]:
    """Return the tools that the lesson shows: all but those left out, and at least the first."""
    return [tool for tool in tools if not _is_left_out(tool)] or list(tools[:1])


def why_left_out(tool: str) -> str | None:
    """Return a sentence if the lesson leaves a tool out."""
    return f"This lesson leaves {tool} out." if _is_left_out(tool) else None


def _is_left_out(tool: str) -> bool:
    """Return whether the lesson leaves a tool out."""
    return tool.lower() in {name.strip().lower() for name in HIDE.value.split(",")}


def lesson_inputs(tools: Sequence[str]) -> None:
    """Draw the widgets that choose what a lesson shows."""
    st.session_state[_PRESENTS] = PRESENT.value
    st.toggle(
        "Present: the stage alone",
        key=_PRESENTS,
        on_change=_keep_present,
        help="Larger words, and keys: 1 to 9 tools, arrows the tool's slider, Space plays. c, i and g are the faces of "
        "the maps. The key ? lists them all. The bar comes back where the mouse is at the top.",
    )
    shown = tools_shown(tools)
    st.session_state[_HIDDEN] = [tool for tool in tools if tool not in shown]
    st.multiselect(
        "Tools left out", tools, key=_HIDDEN, on_change=_keep_hidden, help="A link to this page leaves them out, too."
    )


def _keep_present() -> None:
    PRESENT.keep(st.session_state[_PRESENTS])


def _keep_hidden() -> None:
    HIDE.keep(",".join(st.session_state[_HIDDEN]))


def code_on_map(map_: Map, image: int) -> tuple[float, float]:
    """Return where a test image's code lies on a map, to the three decimals of the inputs."""
    rounded = np.round(map_.points[image].astype(float), 3).clip(-MAX_COORDINATE, MAX_COORDINATE)
    x, y = (rounded + 0.0).tolist()  # no -0
    return x, y


def pick(map_: Map) -> tuple[float, float]:
    """Return the point that the user chose on a map."""
    default = code_on_map(map_, 0)
    x, y = (
        value if abs(value := float(choice.value_or(at))) <= MAX_COORDINATE else at
        for choice, at in zip(PICKS[map_.model.name], default, strict=True)
    )
    return x, y


def pick_inputs(map_: Map) -> None:
    """Draw the widgets of a pick: for keyboards, and for saying a point in class."""
    # A power of ten that crosses the window in a few dozen steps.
    step = 10.0 ** np.floor(np.log10(map_.window.side / 10))
    model = map_.model
    for axis, choice, default in zip("xy", PICKS[model.name], code_on_map(map_, 0), strict=True):
        st.number_input(
            f"{model.short} pick, {axis}",
            -MAX_COORDINATE,
            MAX_COORDINATE,
            default,
            step=float(step),
            format="%.3f",
            width=150,
            on_change=_ring_typed,
            args=(map_,),
            **choice.bound,
        )


def picks_inputs(maps: MapPair) -> None:
    """Draw the widgets of both picks in a row; while they are there, the URL holds the picks."""
    with st.container(horizontal=True):
        for map_ in maps:
            pick_inputs(map_)


def set_pick_to_code(map_: Map, image: int) -> None:
    """Set the pick to the code of a test image; the ring stays, an address that names a pick follows. In a callback."""
    for choice, value in zip(PICKS[map_.model.name], code_on_map(map_, image), strict=True):
        if choice.name in st.query_params:
            choice.announce(value)
        choice.set(value)


def forget_linked_points() -> None:
    """Take picks and ringed image out of the address, if no widget is bound to them yet. In a callback."""
    choices: list[Choice[Any]] = [*chain(*PICKS.values()), RINGED_IMAGE]
    for choice in choices:
        if choice.name not in st.session_state:
            st.query_params.pop(choice.name, None)


def set_pick(map_: Map, x: float, y: float) -> None:
    """Set the pick, and ring the test image nearest to it; a callback."""
    if not map_.is_plane:  # such a map has its codes, and nothing between them
        x, y = map_.project(map_.lift([(x, y)]))[0]
    for choice, value in zip(PICKS[map_.model.name], (x, y), strict=True):
        choice.set(float(np.clip(value, -MAX_COORDINATE, MAX_COORDINATE)))
    _ring_nearest(map_)


@cached()
def nearest(map_: Map, point: tuple[float, float]) -> latent.Nearest:
    """Find the test code nearest to a point of the map; a click asks for it twice, to ring it and to describe it."""
    return latent.nearest(map_.model.codes.code, map_.lift(point))


def _ring_typed(map_: Map) -> None:
    """Ring what is nearest to a pick that was typed; a callback.

    A page that has not heard yet of the last beta sends the pick of the one before with the next: nobody typed that.
    """
    path = map_.model.checkpoint.path
    try:
        chosen = chosen_models(path.parent.name).find(map_.model.name)
    except CheckpointError:
        return  # the page tells it
    if chosen and chosen.checkpoint.path == path:
        _ring_nearest(map_)


def _ring_nearest(map_: Map) -> None:
    RINGED_IMAGE.set(nearest(map_, pick(map_)).image)


def ringed_image(models: ModelPair) -> int:
    """Return the test image that is ringed on both maps."""
    image = int(RINGED_IMAGE.value)
    return image if 0 <= image < len(models.labels) else 0


def ringed_image_input(models: ModelPair) -> None:
    """Draw the widget of the test image that is ringed on both maps."""
    st.number_input(
        "Ringed test image",
        0,
        len(models.labels) - 1,
        0,
        width=220,
        help="The test image nearest to the last pick is ringed on both maps. Any other can be ringed here.",
        **RINGED_IMAGE.bound,
    )


@dataclass
class Drawing:
    """What is on the pad, and how it came there."""

    image: np.ndarray | None = None  # in the data set's form, uint8 (28, 28), 255 is ink; None: nothing
    strokes: list[list[int]] = field(default_factory=list)  # see `drawing.rasterize`
    base: np.ndarray | None = None  # what they are drawn on, in the same form: a picture that came from a file
    has_base: bool = False  # whether it is still there: removing it can be undone
    version: int = 0  # of the base
    answered: int = 0  # the number of the pad's last report
    found: list[np.ndarray] = field(default_factory=list)  # the digits of the last file, in the same form
    taken: int = 0  # which of them is the base
    uploads: int = 0
    complaint: str = ""  # what is wrong with the last file
    on_wall: np.ndarray | None = None  # the image that was sent to the wall last
    refused: str = ""  # why the wall has not taken it
    nickname: str = ""  # with which they are sent


def drawing() -> Drawing:
    """Return what is on the pad; it lives in the session, not in the URL."""
    current: Drawing = st.session_state.setdefault("drawing", Drawing())
    return current


def take_teacher() -> None:
    """Take the wall's key out of the address, before anything is kept or drawn."""
    if TEACHER in st.query_params:
        st.session_state[TEACHER] = st.query_params.pop(TEACHER)


def author() -> str:
    """Return the mark that the drawings of this session have on the wall."""
    mark: str = st.session_state.setdefault(AUTHOR, secrets.token_hex(8))
    return mark


def put_drawing(on_pad: Drawing) -> None:
    """Replace what is on the pad, before it is drawn."""
    st.session_state["drawing"] = on_pad
