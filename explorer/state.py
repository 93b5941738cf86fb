"""What the user chose, and its form in the URL: the one place that names it.

Each choice is a widget bound to the query parameter of the same name, so that a copied link opens the same
view. Coordinates and test images are chosen by clicks, too: a click sets the widget's value.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import streamlit as st

from explorer import catalog, drawing, latent, maps
from explorer.twins import Twin, Twins
from training.checkpoint import CheckpointError

__all__ = ["CLOSE_UPS", "END_KINDS", "FRAMES", "REPERTOIRE", "SECONDS_A_MOMENT", "SHOWN_AT_ONCE", "Key", "State"]

FRAMES = 21  # of an interpolation, both ends included
END_KINDS = ("test digit", "pick")  # what an end of the interpolation can be
SECONDS_A_MOMENT = 0.6  # while the film of the fit plays
ECHOES = 3  # moments after its end in which a browser may still report the moment that it showed before
REPERTOIRE = ("training images", "validation images", "test images", "worst test images", "median test images")
RANKINGS = {"VAE ELBO": "vae", "AE reconstruction": "autoencoder"}
SHOWN_AT_ONCE = 10  # images to reconstruct
SAMPLES_SHOWN = (10, 20, 40)
LAST_SEED = 9999
PLANES = ("principal plane", "two dimensions", "t-SNE, to look at only")
SUBJECTS = ("test image", "what you drew")
CLOSE_UPS = ("both", "the truth", "the belief")
FARTHEST = 1e6  # a pick's coordinates: far beyond any map, and no decoder overflows
LONGEST_PATH = 200  # corners
TRAVERSE_REACH = 3  # standard deviations to either side
CODES_SHOWN = (500, 1000, 2000, 5000, 10000)


class Key(StrEnum):
    """Session-state keys, which are also the names in the URL."""

    EXPERIMENT = "experiment"
    BETA = "beta"  # of the VAE
    PLANE = "plane"  # what the maps show of a space with more than two dimensions
    RIGHTWARDS = "rightwards"  # the dimensions that they show, from 1
    UPWARDS = "upwards"
    SHOWN = "codes"  # how many codes a map shows
    READING = "reading"  # whether the maps show what the classifier reads
    TAB = "tab"
    FACE = "face"
    GRID = "n"
    PATH = "path"  # whether dragging over a map draws one
    DIGIT = "digit"  # the ringed test image
    DIMENSIONS = "dimensions"  # of the traversal, a page of them
    DRAWING = "drawing"  # what is on the pad; not in the URL
    SUBJECT = "subject"  # of the posterior: a test image, or what was drawn
    CLOSE_UP = "close_up"  # of what of it
    BELIEF_SEED = "belief_seed"  # of the point drawn from q(z|x)
    FRAME = "frame"
    IMAGES = "images"  # to reconstruct
    RANK = "rank"
    PAGE = "page"  # of them; not in the URL
    SAMPLES = "samples"  # random codes
    SEED = "seed"
    X_AXIS = "x_axis"
    LOGARITHMIC = "log"
    MOMENT = "moment"
    STEP = "step"  # of the tour
    ARRANGED = "arranged"  # the step that the views were last set to; not in the URL
    # When the film's first moment was, or would have been, on a monotonic clock; None: it was stopped. Not in the URL:
    # a link opens still.
    PLAYED_SINCE = "played_since"


@dataclass
class Drawing:
    """What is on the pad, and how it came there."""

    form: np.ndarray | None = None  # in MNIST's form, uint8 (28, 28); None: nothing
    strokes: list[list[int]] = field(default_factory=list)  # see `drawing.raster`
    base: np.ndarray | None = None  # what they are drawn on, in MNIST's form: a picture that came from a file
    based: bool = False  # whether it is still there: it can be undone, and that, too
    version: int = 0  # of the base
    answered: int = 0  # the number of the pad's last report
    uploads: int = 0
    complaint: str = ""  # what is wrong with the last file


class State:
    """What the user chose, for one experiment's twins."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins

    @staticmethod
    def twins_of(name: str) -> Twins:
        """The twins of an experiment as chosen: its VAE, and what its maps show; raises as `catalog.load`."""
        latent_dim = catalog.load(name).latent_dim
        dimensions, embedded = State.dimensions(latent_dim), State.embedded(latent_dim)
        return catalog.load(name, dimensions, embedded=embedded, beta=st.session_state.get(Key.BETA))

    @staticmethod
    def beta_input(name: str) -> None:
        """The widget that chooses among the VAEs of an experiment, where there are several."""
        betas = catalog.betas(name)
        if len(betas) == 1:
            return
        own = catalog.load(name).vae.checkpoint.experiment.beta
        st.select_slider(
            "Beta, the VAE's weight of the KL",
            betas,
            own,
            format_func=lambda beta: f"{beta:g}",
            key=Key.BETA,
            bind="query-params",
            on_change=State.follow_beta,
            help="The VAE was fitted to maximise reconstruction minus beta times KL. 1 is the ELBO; near 0 it is "
            "nearly an AE; large, the codes say nothing any more. Everything in the app follows.",
        )

    @staticmethod
    def follow_beta() -> None:
        """A callback: another VAE has another space, where the ringed digit is picked."""
        try:
            state = State(State.twins_of(st.session_state[Key.EXPERIMENT]))
        except CheckpointError:
            return  # the page tells it
        vae = state.twins.vae
        st.session_state.update(zip(state.pick_keys(vae), state._place_of(vae, state.digit()), strict=True))
        st.session_state[Key.MOMENT] = int(vae.snapshots.update[-1])
        st.session_state[Key.PLAYED_SINCE] = None

    @staticmethod
    def begin_anew() -> None:
        """A callback: another experiment has other spaces and other images, where what was picked means nothing."""
        try:
            state = State(State.twins_of(st.session_state[Key.EXPERIMENT]))
        except CheckpointError:
            return  # the page tells it; there is nothing to pick from
        for twin in state.twins:
            st.session_state.update(zip(state.pick_keys(twin), state.default_pick(twin), strict=True))
        for end in ("from", "to"):
            st.session_state[state.end_keys(end)[1]] = state.default_image(end)
        st.session_state[Key.DIGIT] = 0
        state.unmove()
        st.session_state[Key.MOMENT] = int(state.twins.vae.snapshots.update[-1])
        st.session_state[Key.PLAYED_SINCE] = None

    @staticmethod
    def show(tab: str, settings: dict[str, object]) -> None:
        """A callback: open a tab, with some widgets set."""
        st.session_state.update(settings)
        st.session_state[Key.TAB] = tab

    @staticmethod
    def plane_inputs(name: str) -> None:
        """The widgets that choose what the maps show of a space with more than two dimensions."""
        latent_dim = catalog.load(name).latent_dim
        if latent_dim == 2:
            return
        chosen = st.selectbox(
            "The maps show",
            PLANES,
            key=Key.PLANE,
            bind="query-params",
            on_change=State.begin_anew,
            help="A map is a plane in a space of more dimensions: the one in which the codes spread most (first two "
            "principal components), or two of the latent dimensions, the others held at the codes' mean. t-SNE is no "
            "plane: it lays out the codes so that neighbours stay neighbours, and bends everything else.",
        )
        if chosen == PLANES[1]:
            with st.container(horizontal=True):
                for key, label, default in ((Key.RIGHTWARDS, "Rightwards", 1), (Key.UPWARDS, "Upwards", 2)):
                    st.number_input(
                        label,
                        1,
                        latent_dim,
                        default,
                        key=key,
                        bind="query-params",
                        on_change=State.begin_anew,
                        width=100,
                    )

    @staticmethod
    def embedded(latent_dim: int) -> bool:
        """Whether the maps show t-SNE's layout."""
        return latent_dim > 2 and st.session_state.get(Key.PLANE) == PLANES[2]

    @staticmethod
    def dimensions(latent_dim: int) -> tuple[int, int] | None:
        """The latent dimensions that the maps show, from 0; None: the plane of the principal components."""
        if latent_dim == 2 or st.session_state.get(Key.PLANE) != PLANES[1]:
            return None
        chosen = (st.session_state.get(key, default) for key, default in ((Key.RIGHTWARDS, 1), (Key.UPWARDS, 2)))
        right, up = (min(int(dimension), latent_dim) - 1 for dimension in chosen)
        return None if right == up else (right, up)

    @staticmethod
    def shown_input(codes: int) -> None:
        """The widget that chooses how many codes a map shows, of as many as there are."""
        few = codes <= CODES_SHOWN[0]
        st.select_slider(
            f"Test codes on a map: all {codes}" if few else "Test codes on a map",
            CODES_SHOWN,
            5000,
            key=Key.SHOWN,
            bind="query-params",
            disabled=few,
            help="Fewer are faster to draw. What is said of a point is always computed from all of them.",
        )

    @staticmethod
    def reading_input() -> None:
        """The widget that lays what the classifier reads over Explore's maps."""
        st.toggle(
            "Colour by what is read",
            key=Key.READING,
            bind="query-params",
            help="Explore's maps: each place in the colour of the digit that a classifier reads in its decode, the "
            "fainter the less sure it is.",
        )

    @staticmethod
    def reading() -> bool:
        """Whether Explore's maps show what the classifier reads."""
        return bool(st.session_state.get(Key.READING))

    @staticmethod
    def shown() -> int:
        """How many codes a map shows."""
        return int(st.session_state[Key.SHOWN])

    @staticmethod
    def pick_keys(twin: Twin) -> tuple[str, str]:
        """The keys of the pick's two coordinates."""
        return f"{twin.short.lower()}_x", f"{twin.short.lower()}_y"

    def default_pick(self, twin: Twin) -> tuple[float, float]:
        """Where the first test image lies on the map."""
        return self._place_of(twin, 0)

    @staticmethod
    def _place_of(twin: Twin, image: int) -> tuple[float, float]:
        """Where a test image lies on the map, to the three decimals of the inputs."""
        x, y = (np.round(twin.points[image].astype(float), 3).clip(-FARTHEST, FARTHEST) + 0.0).tolist()  # no -0
        return x, y

    def pick(self, twin: Twin) -> tuple[float, float]:
        """The latent point that the user chose on a map."""
        x, y = (
            self._number(key, default, -FARTHEST, FARTHEST)
            for key, default in zip(self.pick_keys(twin), self.default_pick(twin), strict=True)
        )
        return x, y

    @staticmethod
    def _number(key: str, default: float, least: float, most: float) -> float:
        """What a widget holds; before it is drawn for the first time, what it will take from the link."""
        if key in st.session_state:
            return float(st.session_state[key])
        try:
            linked = float(st.query_params[key])
        except (KeyError, ValueError):
            return default
        return linked if least <= linked <= most else default

    def pick_inputs(self, twin: Twin) -> None:
        """The widgets of a pick: for keyboards, and for saying a point in class."""
        # A power of ten that crosses the window in a few dozen steps.
        step = 10.0 ** np.floor(np.log10(twin.window.side / 10))
        for axis, key, default in zip("xy", self.pick_keys(twin), self.default_pick(twin), strict=True):
            st.number_input(
                f"{twin.short} pick, {axis}",
                -FARTHEST,
                FARTHEST,
                default,
                step=float(step),
                format="%.3f",
                width=124,
                key=key,
                bind="query-params",
                on_change=self.ring_nearest,
                args=(twin,),
            )

    def set_pick(self, twin: Twin, x: float, y: float) -> None:
        """Choose a point, and ring the test digit nearest to it; to be called from a callback."""
        if twin.embedding is not None:  # such a map has its codes, and nothing between them
            x, y = twin.plane.project(twin.plane.lift([(x, y)]))[0]
        for key, value in zip(self.pick_keys(twin), (x, y), strict=True):
            st.session_state[key] = float(np.clip(value, -FARTHEST, FARTHEST))
        self.ring_nearest(twin)

    def ring_nearest(self, twin: Twin) -> None:
        """Ring the test digit nearest to a twin's pick; to be called from a callback."""
        st.session_state[Key.DIGIT] = latent.nearest(twin.codes.code, twin.plane.lift(self.pick(twin))).image

    def digit(self) -> int:
        """The test image that is ringed on both maps."""
        return int(self._number(Key.DIGIT, 0, 0, len(self.twins.digits) - 1))

    def digit_input(self) -> None:
        """The widget of the test image that is ringed on both maps."""
        st.number_input(
            "Ringed test image",
            0,
            len(self.twins.digits) - 1,
            0,
            key=Key.DIGIT,
            bind="query-params",
            width=316,
            help="The test image nearest to the last pick is ringed on both maps. Any other can be ringed here.",
        )

    def subject_input(self) -> np.ndarray | None:
        """The widgets that choose the image whose posterior is shown; gives what was drawn, None for `digit`."""
        drawn = self.drawn()
        chosen = st.segmented_control(
            "Image",
            SUBJECTS,
            default=SUBJECTS[0],
            required=True,
            key=Key.SUBJECT,
            bind="query-params",
            disabled=drawn is None,
            help="What you drew comes from the Draw tab.",
        )
        if chosen == SUBJECTS[1] and drawn is not None:
            return drawn
        self.digit_input()
        return None

    @staticmethod
    def close_up_input() -> str:
        """The widget that chooses what the close-up of a posterior shows; one of `CLOSE_UPS`."""
        return str(
            st.segmented_control(
                "Close-up of",
                CLOSE_UPS,
                default=CLOSE_UPS[0],
                required=True,
                key=Key.CLOSE_UP,
                bind="query-params",
                help="*both*: of the place that holds the belief and the truth. Where they lie far apart, both are "
                "small: look at either.",
            )
        )

    @staticmethod
    def belief_seed_inputs() -> int:
        """The widgets that draw a point from q(z|x); gives the seed."""
        return State._seed_inputs(Key.BELIEF_SEED, "Resample")

    @staticmethod
    def _seed_inputs(key: Key, again: str) -> int:
        seed = st.number_input("Seed", 0, LAST_SEED, 0, key=key, bind="query-params", width=130)
        st.button(again, icon=":material/casino:", key=again.lower(), on_click=State._next_seed, args=(key,))
        return int(seed)

    @staticmethod
    def _next_seed(key: Key) -> None:
        st.session_state[key] = (int(st.session_state[key]) + 1) % (LAST_SEED + 1)

    @staticmethod
    def path_input(disabled: bool) -> None:
        """The widget that has dragging over a map draw a path."""
        st.toggle(
            "Draw a path",
            key=Key.PATH,
            bind="query-params",
            disabled=disabled,
            help="Drag over a map, with the mouse or a finger: the decodes along the path become a film below it, and "
            "a GIF to save. By keyboard: Tab to the map, arrow keys move a cursor, Enter adds a corner, Shift and "
            "Enter ends the path.",
        )

    @staticmethod
    def draws_paths() -> bool:
        """Whether dragging over a map draws a path."""
        return bool(st.session_state.get(Key.PATH))

    @staticmethod
    def set_path(twin: Twin, points: list[list[float]]) -> None:
        """Choose a path over a twin's map; to be called from a callback."""
        corners = np.clip(np.array(points, float)[:LONGEST_PATH, :2], -FARTHEST, FARTHEST)
        st.session_state[State._path_key(twin)] = (maps.decoder_name(twin), tuple(map(tuple, corners.tolist())))

    @staticmethod
    def path(twin: Twin) -> tuple[tuple[float, float], ...]:
        """The path that the user drew over a twin's map; empty if none."""
        drawn_on, corners = st.session_state.get(State._path_key(twin), ("", ()))
        return corners if State.draws_paths() and drawn_on == maps.decoder_name(twin) else ()

    @staticmethod
    def _path_key(twin: Twin) -> str:
        return f"{twin.short.lower()}_path"  # not in the URL

    @staticmethod
    def drawing() -> Drawing:
        """What is on the pad."""
        found: Drawing = st.session_state.setdefault(Key.DRAWING, Drawing())
        return found

    @staticmethod
    def drawn() -> np.ndarray | None:
        """What the user drew, in MNIST's form: uint8 (28, 28), 255 is ink; None: nothing."""
        return State.drawing().form

    @staticmethod
    def set_drawn(form: np.ndarray | None) -> None:
        """Put a picture in MNIST's form on the pad, in place of all that is on it."""
        now = State.drawing()
        now.form = now.base = form
        now.based, now.strokes, now.complaint = form is not None, [], ""
        now.version += 1

    @staticmethod
    def draw(report: dict[str, Any]) -> None:
        """A callback: take what the pad reports; see `components.pad`."""
        now = State.drawing()
        now.answered = int(report["number"])
        if report["version"] != now.version:  # a file came meanwhile
            return
        now.strokes, now.based, now.complaint = report["strokes"], bool(report["based"]), ""
        if now.based and not now.strokes:
            now.form = now.base
            return
        ink = drawing.raster(now.strokes)
        if now.based and now.base is not None:
            ink = np.maximum(ink, drawing.enlarged(now.base))
        now.form = drawing.mnist_form(ink)

    @staticmethod
    def picture_input() -> None:
        """The widget that takes a file with a picture of a digit. It is empty again when it was read."""
        st.file_uploader(
            "Or a picture: drop it here, or paste it (Ctrl+V)",
            list(drawing.FILE_TYPES),
            key=State._upload_key(),
            on_change=State._upload,
            help="A photograph, a scan or a screenshot of one digit, dark on light or light on dark.",
        )

    @staticmethod
    def _upload_key() -> str:
        return f"picture_{State.drawing().uploads}"

    @staticmethod
    def _upload() -> None:
        file, now = st.session_state[State._upload_key()], State.drawing()
        if file is None:
            return
        name = file.name if len(file.name) <= 24 else f"{file.name[:11]}…{file.name[-11:]}"
        try:
            State.set_drawn(drawing.mnist_form(drawing.open_picture(file.getvalue(), name)))
        except drawing.DrawingError as error:
            now.complaint = str(error)
        now.uploads += 1

    def dimensions_page(self, size: int) -> list[int]:
        """The widget that pages through the latent dimensions, where there are more than a page; gives those shown."""
        pages = [
            range(first, min(first + size, self.twins.latent_dim)) for first in range(0, self.twins.latent_dim, size)
        ]
        if len(pages) == 1:
            return list(pages[0])
        names = [f"{page.start + 1} to {page.stop}" for page in pages]
        chosen = st.segmented_control(
            "Dimensions", names, default=names[0], required=True, key=Key.DIMENSIONS, bind="query-params"
        )
        return list(pages[names.index(chosen)])

    @staticmethod
    def _move_key(dimension: int) -> str:
        return f"move_{dimension + 1}"

    def move(self, dimension: int) -> float:
        """How far the pick is moved along a dimension, in standard deviations."""
        return self._number(self._move_key(dimension), 0.0, -TRAVERSE_REACH, TRAVERSE_REACH)

    def move_input(self, dimension: int, off: bool) -> None:
        """The widget that moves the pick along a dimension."""
        reach = float(TRAVERSE_REACH)
        st.slider(
            f"Dimension {dimension + 1} (sd)" + (", off" if off else ""),
            -reach,
            reach,
            0.0,
            step=0.5,
            key=self._move_key(dimension),
            bind="query-params",
        )

    def unmove(self) -> None:
        """A callback: back to the pick."""
        for dimension in range(self.twins.latent_dim):
            st.session_state[self._move_key(dimension)] = 0.0

    @staticmethod
    def repertoire_input() -> str:
        """The widget that chooses the images to reconstruct."""
        return str(
            st.segmented_control(
                "Images", REPERTOIRE, default=REPERTOIRE[2], required=True, key=Key.IMAGES, bind="query-params"
            )
        )

    @staticmethod
    def ranking_input() -> str:
        """The widget that chooses what the test images are ranked by; gives a model's name."""
        chosen = st.segmented_control(
            "Ranked by", list(RANKINGS), default=next(iter(RANKINGS)), required=True, key=Key.RANK, bind="query-params"
        )
        return RANKINGS[chosen]

    @staticmethod
    def page() -> int:
        """Which images of a split are shown: a seed."""
        return int(st.session_state.get(Key.PAGE, 0))

    def others_button(self) -> None:
        """The widget that shows other images of the split."""
        st.button("Others", key="others", on_click=self._turn_the_page)

    def _turn_the_page(self) -> None:
        st.session_state[Key.PAGE] = self.page() + 1

    @staticmethod
    def samples_inputs() -> tuple[int, int]:
        """The widgets of the random codes: how many, and their seed."""
        n = st.segmented_control(
            "Samples", SAMPLES_SHOWN, default=SAMPLES_SHOWN[0], required=True, key=Key.SAMPLES, bind="query-params"
        )
        return int(n), State._seed_inputs(Key.SEED, "Again")

    @staticmethod
    def end_keys(end: str) -> tuple[str, str, str]:
        """The keys of an end of the interpolation (`from` or `to`): what it is, its image, its class."""
        return f"{end}", f"{end}_image", f"{end}_class"

    def default_image(self, end: str) -> int:
        """The first 2 and the first 6 of the test images: they share little, so the way is long."""
        return self.another_image({"from": 2, "to": 6}[end], after=-1)

    def another_image(self, digit: int, after: int) -> int:
        """The next test image of a class, from the front again after the last; image 0 if there is none."""
        mine = np.flatnonzero(self.twins.digits == digit)
        later = mine[mine > after]
        return int(later[0] if len(later) else mine[0] if len(mine) else 0)

    def take_class(self, end: str) -> None:
        """A callback: the end moves to the first test image of the class that was chosen for it."""
        _, image_key, class_key = self.end_keys(end)
        st.session_state[image_key] = self.another_image(st.session_state[class_key], after=-1)

    def take_another(self, end: str) -> None:
        """A callback: the end moves to the next test image of its class."""
        image = self.end_image(end)
        st.session_state[self.end_keys(end)[1]] = self.another_image(int(self.twins.digits[image]), after=image)

    def end_image(self, end: str) -> int:
        """The test image of an end."""
        return int(st.session_state.get(self.end_keys(end)[1], self.default_image(end)))

    def is_pick(self, end: str) -> bool:
        """Whether an end is the current pick, not a test digit."""
        return bool(st.session_state.get(self.end_keys(end)[0]) == "pick")

    def end_point(self, end: str, twin: Twin) -> tuple[float, ...]:
        """An end in a twin's latent space: its code of the test image, or its pick."""
        if self.is_pick(end):
            return tuple(twin.plane.lift(self.pick(twin)).tolist())
        return tuple(twin.codes.code[self.end_image(end)].tolist())

    @staticmethod
    def step_input(steps: int) -> int:
        """The widget that chooses a step of the tour, from 1."""
        return int(
            st.segmented_control(
                "Step",
                range(1, steps + 1),
                default=1,
                required=True,
                key=Key.STEP,
                bind="query-params",
                label_visibility="collapsed",
            )
        )

    @staticmethod
    def go_to_step(step: int) -> None:
        """A callback: to a step of the tour."""
        st.session_state[Key.STEP] = step

    @staticmethod
    def arrange_again() -> None:
        """A callback: the step's view is set to its point again."""
        st.session_state[Key.ARRANGED] = None

    def arrange(self, step: int, values: Callable[[], dict[str, object]]) -> None:
        """On entering a step of the tour, set widgets to its point; to be called before they are drawn.

        Args:
            step: its number.
            values: gives what to set, by key.
        """
        vae = self.twins.vae
        of = (vae.checkpoint.path, vae.dimensions, vae.embedding is None, step)
        if st.session_state.get(Key.ARRANGED) == of:
            return
        # What a link to a step names stands: whoever copied it may have gone on from the step's point.
        opened = Key.ARRANGED not in st.session_state and Key.STEP in st.query_params
        linked = st.query_params if opened else ()
        st.session_state.update({key: value for key, value in values().items() if key not in linked})
        st.session_state[Key.ARRANGED] = of

    def play_or_pause(self) -> None:
        """A callback: the film runs from the chosen moment, from the last one from the beginning; or it stops."""
        if self.is_playing():
            self.follow_the_film()
            st.session_state[Key.PLAYED_SINCE] = None
            return
        updates = self.twins.vae.snapshots.update.tolist()
        moment = updates.index(st.session_state.get(Key.MOMENT, updates[-1])) % (len(updates) - 1)
        st.session_state[Key.PLAYED_SINCE] = time.monotonic() - moment * SECONDS_A_MOMENT

    def is_playing(self) -> bool:
        """Whether the film of the fit runs."""
        played = self._played()
        return played is not None and played < len(self.twins.vae.snapshots.update)

    def _played(self) -> int | None:
        """How many moments of the film have been shown, or would have been if it had not ended."""
        since = st.session_state.get(Key.PLAYED_SINCE)
        return None if since is None else int((time.monotonic() - since) / SECONDS_A_MOMENT)

    def follow_the_film(self) -> None:
        """While it plays the moment is that of the film, whatever the browser reports: it may be behind by a moment.

        To be called before the slider is drawn.
        """
        played, updates = self._played(), self.twins.vae.snapshots.update.tolist()
        if played is not None and played < len(updates) + ECHOES:
            st.session_state[Key.MOMENT] = updates[min(played, len(updates) - 1)]
