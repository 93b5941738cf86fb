"""Train: fit an AE and a VAE of one's own, watch their codes come apart, and steer the fit."""

import dataclasses
import io
import re
import shutil
import threading
import zipfile
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from explorer import figures, images, originals, selection
from explorer.cache import cached
from explorer.choices import Choice
from explorer.classes import Classes
from explorer.components import latent_map
from explorer.components.card import markup, picture
from explorer.components.live import Moment, show_live
from explorer.fragments import fragment
from explorer.latent import Window
from explorer.live import LiveModel, open_live
from explorer.models import ModelPair
from explorer.stage import CHARTS, Stage, lay_over
from explorer.text import duration, escape_markdown, number, vector
from training import workers
from training.array_file import CheckpointError, MissingError
from training.checkpoint import MODEL_NAMES, MODEL_WORDS, checkpoint_path, experiment_names
from training.datasets import TRAINING_IMAGES, available
from training.experiments import EXPERIMENTS, Experiment
from training.folders import checkpoints_dir, data_dir
from training.live import control, live_path
from training.own_dataset import dataset_path, read_dataset

__all__ = ["DATASET", "FIT", "add_images", "classes", "render"]


class Network(NamedTuple):
    """A preset: a network, and how long it wants to be fitted."""

    words: str
    hidden_layers: tuple[int, ...]
    architecture: str
    epochs: int  # on as many images as MNIST's
    learning_rate: float

    def epochs_for(self, training_images: int) -> int:
        """Return how many epochs make as many updates on so many images, within reason."""
        same_updates = round(self.epochs * TRAINING_IMAGES["mnist"] / max(training_images, 1))
        return max(1, min(same_updates, MAX_EPOCHS))


MAX_EPOCHS = 200  # of few images: what is fitted to them for longer only remembers them
NETWORKS = {
    "small": Network("one layer of 400 units: a first picture within seconds", (400,), "mlp", 20, 4e-3),
    "deep": Network("three layers of 512, as `mnist-2d`: sharper, slower", (512, 512, 512), "mlp", 60, 1.5e-3),
    "filters": Network("four convolutional layers: ten times slower", (32, 64, 64, 64), "convolutional", 8, 2e-3),
    "own": Network("the widths of your own layers; the decoder mirrors them", (400, 100), "mlp", 20, 2e-3),
}
FIT = Choice("fit", "")  # the fit that is watched, by its experiment's name
DATASET, NETWORK, WIDTHS = Choice("data", "mnist"), Choice("network", "small"), Choice("widths", "400-100")
LATENT_DIM, BETA, WARM_UP = Choice("latent_dim", 2), Choice("fit_beta", 1.0), Choice("warm_up", 0.0)
SEED = Choice("fit_seed", 0)
EPOCHS, RATE = Choice[int | None]("epochs", None), Choice[float | None]("rate", None)  # None: what the network wants
_naming = threading.Lock()  # a class may begin fits, or drop files, of one name at the same moment
# Share of a run in which the learning rate rises: short, for a class waits for clusters. The ELBO ends no worse.
RATE_WARMUP = 0.02
MODELS = dict(zip(MODEL_NAMES, CHARTS, strict=True))
TICK, STEER_TICK, CURVES_TICK = 0.5, 2.0, 1.5  # seconds
ATLAS_SECONDS = 1.0  # after which the decodes under the mouse are renewed
# In the session, not in the URL.
OWN_FIT = "own_fit"  # the fit that this session has begun; in a link it would be everyone's who opens it
WINDOWS = "live_windows"  # what each map shows of the fit
ATLASES = "live_atlases"  # of each model: the version whose decodes were sent last, their window, and they
HAS_BEGUN = "fit_has_begun"  # whether the page, its legend for one, is that of the fit that is watched
PICKS = "live_picks"  # the points that are picked on the maps of the fit
UPLOAD, MAX_UPLOAD = "own_images", 100  # a widget; megabytes
ADDED = "added"  # the name of the data set that was made of the file that was dropped last, and what was found in it
REFUSED = "refused"  # why that file was not taken
COMPLAINT = "fit_complaint"  # what went wrong in the last callback
MOVED_BETA, MOVED_RATE = "moved_beta", "moved_rate"  # widgets


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: a form, or the fit that is watched; below, its curves, all fits, and what was fitted here."""
    found = _fits()
    name = str(FIT.value)
    st.session_state[HAS_BEGUN] = bool(_stand(name))
    if name not in found and (complaint := st.session_state.pop(COMPLAINT, "")):
        stage.strip.error(escape_markdown(complaint))
    with stage.viewer:
        if name in found:
            with st.container(key="watched_maps", gap="xsmall"):
                _watch(name)
            with st.container(key="watched_steering", gap="xsmall"):
                _steer(name)
        else:
            with st.container(gap="xsmall"):
                _form(name)
    if name not in found:
        for map_, answer in zip(stage.maps, stage.answers, strict=True):
            with answer:
                lay_over(map_, [], answer="")  # the maps of the experiment that is open
    with stage.strip:
        if name in found:
            with st.container(key="watched_curves"):
                _watch_curves(name)
        _list_fits(name)
        _own_experiments(list(found))


def classes(pair: ModelPair) -> Classes:
    """Return the classes that the legend names: those of the fit that is watched."""
    for model in _stand(str(FIT.value)).values():
        return Classes(model.file.dataset.classes)
    return pair.classes


def _fits() -> dict[str, list[workers.FitInFolder]]:
    """Find the fits that wait, are in progress or were left unfinished, by experiment."""
    found: dict[str, list[workers.FitInFolder]] = {}
    for fit in workers.running(checkpoints_dir()):
        found.setdefault(fit.folder.name, []).append(fit)
    return found


def _stand(name: str) -> dict[str, LiveModel]:
    """Open the models of a fit as they stand, those that have begun."""
    found = {}
    for model_name in MODEL_NAMES if name else ():
        try:
            found[model_name] = open_live(live_path(checkpoint_path(checkpoints_dir() / name, model_name)))
        except CheckpointError:  # not begun, finished, or replaced just now
            continue
    return found


def _form(last: str) -> None:
    """Draw the settings of a new fit, and what became of the last."""
    if is_finished := bool(last) and last in experiment_names(checkpoints_dir()):
        st.success(escape_markdown(f"{last} is finished, an experiment like the others now."))
        st.button("Look at it", on_click=_open, args=(last,), type="primary")
    elif last:
        st.info(escape_markdown(f"There is no fit {last} here."))
    st.markdown("**Fit an AE and a VAE to images of your choice.** Watch both spaces take shape, out of noise.")
    place = st.container()  # of the button, before the settings: it is to be seen at once
    names = available(data_dir())
    DATASET.set(DATASET.value if DATASET.value in names else names[0])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        dataset = st.selectbox(
            "Images", names, help="What the models learn. *Add* brings your own, reduced to 28 x 28.", **DATASET.bound
        )
        with st.popover("Add", icon=":material/upload:", help="Bring your own images"):
            _upload()
    network = st.segmented_control(
        "Network",
        list(NETWORKS),
        default=NETWORK.default,
        required=True,
        help=". ".join(f"*{key}*: {preset.words}" for key, preset in NETWORKS.items()) + ".",
        **NETWORK.bound,
    )
    preset = NETWORKS[network]
    training_images, lacking = _training_images(dataset_path(data_dir(), dataset))
    preset_epochs = preset.epochs_for(training_images)
    hidden_layers = preset.hidden_layers
    if network == "own":
        widths = st.text_input(
            "Widths of the encoder's layers",
            WIDTHS.default,
            help="From the images to the codes, as 400-100; the decoder mirrors them.",
            **WIDTHS.bound,
        )
        hidden_layers = tuple(int(width) for width in re.findall(r"\d{1,9}", widths))
    left, right = st.columns(2)
    with left:
        latent_dim = st.number_input(
            "Latent size",
            2,
            64,
            LATENT_DIM.default,
            help="Numbers in a code. Two can be seen whole.",
            **LATENT_DIM.bound,
        )
        epochs = st.number_input(
            "Epochs",
            1,
            1000,
            EPOCHS.default,
            placeholder=str(preset_epochs),
            help="Passes over the training images. Empty: as many as suit the network, and the number of images.",
            **EPOCHS.bound,
        )
        warm_up = st.number_input(
            "Warm-up",
            0.0,
            100.0,
            WARM_UP.default,
            format="%.1f",
            help="KL annealing: epochs in which the weight of the KL rises from 0 to beta.",
            **WARM_UP.bound,
        )
    with right:
        beta = st.number_input(
            "Beta", 0.0, 1000.0, BETA.default, help="The weight of the VAE's KL. You can move it later.", **BETA.bound
        )
        rate = st.number_input(
            "Learning rate",
            1e-6,
            1.0,
            RATE.default,
            step=0.0005,
            format="%.4f",
            placeholder=f"{preset.learning_rate:.4f}",
            help="The peak of its schedule. Empty: what suits the network. You can move it later.",
            **RATE.bound,
        )
        seed = st.number_input("Seed", 0, 9999, SEED.default, help="Of all that is drawn at random.", **SEED.bound)
    own = str(st.session_state.get(OWN_FIT, ""))
    is_busy = own in _fits()
    if is_busy:
        place.info(escape_markdown(f"Your fit {own} is under way. Have one at a time."))
    if lacking:
        place.error(lacking)
        return
    try:
        experiment = Experiment(
            name=f"{dataset}-{latent_dim}d",
            title=f"{dataset}, {latent_dim} latent dimensions, fitted here",
            dataset=dataset,
            architecture=preset.architecture,
            latent_dim=int(latent_dim),
            hidden_layers=hidden_layers,
            beta=float(beta),
            kl_warmup=float(warm_up),
            epochs=epochs or preset_epochs,
            batch_size=128,
            learning_rate=rate or preset.learning_rate,
            rate_warmup=RATE_WARMUP,
            seed=int(seed),
        )
    except ValueError as error:
        place.error(escape_markdown(f"These settings cannot be fitted: {error}."))
        return
    if not is_busy:
        workers.prepare()
    place.button(
        "Start",
        key="start_fit",
        type="secondary" if is_finished else "primary",  # one at a time: *Look at it* is the next step then
        icon=":material/play_arrow:",
        disabled=is_busy,
        on_click=_start,
        args=(experiment,),
    )


def _upload() -> None:
    """Draw the widget that takes images of one's own, and what was found in the last."""
    st.file_uploader(
        "Your own images: a zip with a folder for each class, an .npz or a CSV",
        ["zip", "npz", "csv", "gz"],
        key=UPLOAD,
        max_upload_size=MAX_UPLOAD,
        on_change=_add,
        help="Pictures of any size become grey, 28 x 28. README tells what the arrays of an .npz are called.",
    )
    st.caption("From a folder: `python -m training add NAME PATH`.")
    if refusal := st.session_state.get(REFUSED):
        st.error(escape_markdown(refusal))
    name, *sentences = st.session_state.get(ADDED) or [""]
    for sentence in sentences:
        st.caption(escape_markdown(f"{sentence}."))
    if name in available(data_dir()):  # the browser may have handed over another
        from training.imports import contact_sheet_path

        with suppress(OSError):  # whoever deletes it may do so while the page is open
            st.image(contact_sheet_path(data_dir(), name).read_bytes())
            st.caption("Black and white exchanged, or all on their side? The command has `--invert` and `--transpose`.")


@cached()
def _training_images(path: Path) -> tuple[int, str]:
    """Count the training images of a data set.

    Args:
        path: of its file, or where that would be.

    Returns:
        their number, and what is missing of a data set of one's own, in Markdown; empty: nothing.
    """
    try:
        dataset = read_dataset(path)
    except MissingError:
        return TRAINING_IMAGES.get(path.stem, 0), ""
    except CheckpointError as error:
        return 0, escape_markdown(f"{error}.")
    training, validation = (len(dataset.part(split)[0]) for split in ("train", "validation"))
    if training and validation:
        return training, ""
    add = originals.how_to_add(path.stem)
    return 0, f"Of these images only the test images came along. {add} brings the others."


def _add() -> None:
    """Make a data set of a file that was dropped; a callback."""
    from training.imports import AddError

    uploaded = st.session_state[UPLOAD]
    if uploaded is None:
        return
    for told in (ADDED, REFUSED):  # of the last file
        st.session_state.pop(told, None)
    try:
        DATASET.set(add_images(uploaded.name, uploaded.getvalue()))
    except (AddError, OSError) as error:
        st.session_state[REFUSED] = f"These images cannot be taken: {error}."


def add_images(file_name: str, content: bytes) -> str:
    """Make a data set of a file, as `python -m training add` does, and say what was found; return its name.

    Raises:
        AddError: see `training.imports.read`.
        OSError: it cannot be written.
    """
    from training.imports import read, save

    path = Path(Path(file_name).name)
    stem = re.sub(r"[^\w-]+", "-", path.name.partition(".")[0]).strip("-_") or "images"
    imported = read(path, content)
    with _naming:
        name = _free_name(stem, available(data_dir()))
        save(imported.dataset, data_dir(), name)
    about, *others = imported.sentences
    told = [f"Added as {name}", about, *(f"{each[0].upper()}{each[1:]}" for each in others)]
    st.session_state[ADDED] = [name, *told]
    return name


def _free_name(name: str, taken: Collection[str]) -> str:
    """Append a number to a name until it is not taken."""
    return next(each for each in (name, *(f"{name}-{at}" for at in range(2, len(taken) + 3))) if each not in taken)


def _start(experiment: Experiment) -> None:
    """Begin a fit under a name that is free by now, and watch it; a callback."""
    own = str(st.session_state.get(OWN_FIT, ""))
    if own not in _fits():  # else it was clicked twice
        try:
            with _naming:
                taken = {*EXPERIMENTS, *experiment_names(checkpoints_dir())}
                experiment = dataclasses.replace(experiment, name=_free_name(experiment.name, taken))
                workers.start(experiment, data_dir(), checkpoints_dir())
        except (OSError, CheckpointError) as error:
            st.session_state[COMPLAINT] = f"The fit cannot begin: {error}."
            return
        own = st.session_state[OWN_FIT] = experiment.name
    _watch_fit(own)


def _watch_fit(name: str) -> None:
    """Watch a fit; empty: none, but the form; a callback."""
    for key in (WINDOWS, ATLASES, PICKS, COMPLAINT):
        st.session_state.pop(key, None)
    FIT.keep(name)


def _open(name: str) -> None:
    """Open an experiment that was fitted here; a callback."""
    FIT.keep("")
    selection.show("Explore", {selection.EXPERIMENT: name})


@fragment(run_every=TICK)
def _watch(name: str) -> None:
    """Show the fit as it stands: its codes on the maps, the decodes under the mouse, how far it is."""
    found = _fits()
    if name not in found or name != FIT.value:
        st.rerun()  # finished or discarded: the list of experiments has changed
    standing = _stand(name)
    if standing and not st.session_state[HAS_BEGUN]:
        st.rerun()
    windows: dict[str, Window] = st.session_state.setdefault(WINDOWS, {})
    moments = []
    for column, model_name in zip(st.columns(2, gap="xsmall"), MODEL_NAMES, strict=True):
        if (model := standing.get(model_name)) is not None:
            window = windows[model_name] = model.window(windows.get(model_name))
            moments.append(Moment(MODELS[model_name], model.points, window, model.axes.titles()))
            with column:
                _lens(name, model, window)
    if moments:
        first = next(iter(standing.values()))
        named = Classes(first.file.dataset.classes)
        colours, symbols = zip(*map(figures.look, range(len(named))), strict=True)
        st.markdown(f"On the maps: **{escape_markdown(name)}**")
        show_live(moments, first.labels, named.short_names, colours, symbols, circled=named.fit_labels)
    else:
        shown = escape_markdown(str(selection.EXPERIMENT.value))
        st.markdown(f"**{escape_markdown(name)}** has no codes yet. Until then the maps show {shown}.")
    for model_name in MODEL_NAMES:
        _draw_progress(model_name, next((fit for fit in found[name] if fit.stem == model_name), None))


def _lens(name: str, model: LiveModel, window: Window) -> None:
    """Mount the lens of a map: the pick's decode, and that of any point under the mouse, by the model as it stands."""
    chart, lens, short = MODELS[model.name], f"live-{name}-{model.name}", MODEL_WORDS[model.name]
    # Before there is a pick: the first validation image, wherever its code is.
    x, y = st.session_state.setdefault(PICKS, {}).get(model.name) or model.points[0].tolist()
    where = vector((x, y))
    decode = images.data_uri(model.decode([(x, y)])[0])
    latent_map.overlay(
        chart,
        [latent_map.pick_mark(x, y)],
        partial(_pick, model.name),
        title=f"{short} that is being fitted",
        lens=lens,
        answer=markup(
            [picture(decode, f"{short}: decode of {where}", name=f"pick-{model.name}", caption=f"{short} at {where}")],
            kind="pick",
        ),
    )
    sent = st.session_state.setdefault(ATLASES, {})
    version, of, atlas = sent.get(model.name, (0, None, None))
    if atlas is None or of != window or model.file.version - version > ATLAS_SECONDS * 1e9:
        atlas = model.atlas(window)
        sent[model.name] = (model.file.version, window, atlas)
    latent_map.send_atlas(chart, lens, window, atlas, part="live", is_kept=False)


def _pick(model_name: str, x: float, y: float) -> None:
    """Set the pick on the map of a model that is being fitted; a callback."""
    st.session_state.setdefault(PICKS, {})[model_name] = (x, y)


def _draw_progress(model_name: str, fit: workers.FitInFolder | None) -> None:
    """Say how far a model is; None: it is finished."""
    short = MODEL_WORDS[model_name]
    if fit is None:
        st.progress(1.0, f"{short}: finished")
        return
    words = {
        "waiting": f"waits, number {fit.place} in the queue",
        "starting": "reads the images …",
        "fitting": "begins",
        "paused": "paused",
        "failed": "failed",
        "dead": "stands still",
    }[fit.state]
    if (live := fit.live) is None:
        st.progress(0.0, f"{short}: {words}")
    else:
        if fit.state == "fitting" and live.seconds_left is not None:
            words = f"{duration(live.seconds_left)} left"
        epochs = live.progress.total / live.progress.updates_per_epoch
        text = f"{short}: epoch {number(live.epoch, '.1f')} of {number(epochs, '.0f')}, {words}"
        st.progress(live.progress.update / live.progress.total, text)


def _complain(found: list[workers.FitInFolder]) -> None:
    """Say why models are not being fitted any more, and what the last order came to."""
    wrong = [f"The {MODEL_WORDS[fit.stem]} failed: {fit.message}." for fit in found if fit.state == "failed"]
    if complaint := st.session_state.get(COMPLAINT):
        wrong.append(complaint)
    dead: dict[str, list[str]] = {}
    for fit in found:
        if fit.state == "dead":
            dead.setdefault(fit.message or "the process has ended", []).append(MODEL_WORDS[fit.stem])
    still = [
        f"{' and '.join(words)} {'stand' if words[1:] else 'stands'} still: {why}. "
        f"Go on takes {'them' if words[1:] else 'it'} up where saved."
        for why, words in dead.items()
    ]
    text = "  \n".join(map(escape_markdown, wrong + still))
    if wrong:
        st.error(text)
    elif still:
        st.warning(text)
    else:
        _nothing()


def _nothing() -> None:
    """Draw nothing in the place of a sentence.

    Streamlit takes away what was drawn before only after a run that no other follows at once: on a busy computer there
    may be none for minutes.
    """
    st.empty()


@fragment(run_every=STEER_TICK)
def _steer(name: str) -> None:
    """Draw what moves the fit: pause, stop, discard, beta, learning rate."""
    fits = _fits()
    found = fits.pop(name, [])
    is_alive = any(fit.lives for fit in found)
    is_paused = any(fit.state == "paused" for fit in found)
    can_go_on = is_paused or (not is_alive and any(fit.can_resume for fit in found))
    has_begun = any(fit.lives and fit.state != "waiting" for fit in found)
    # All of them, always, each in its place: Streamlit keeps a button that another replaces beside it for a while.
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Pause",
            key="pause_fit",
            icon=":material/pause:",
            on_click=_order,
            args=(name, "pause"),
            disabled=is_paused or not has_begun,
        )
        st.button(
            "Go on",
            key="go_on_with_fit",
            icon=":material/play_arrow:",
            on_click=_go_on,
            args=(name,),
            type="primary" if can_go_on else "secondary",
            disabled=not can_go_on,
        )
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Stop and keep",
            key="stop_fit",
            icon=":material/stop:",
            on_click=_order,
            args=(name, "stop"),
            disabled=not has_begun,
        )
        with st.popover("Discard", icon=":material/delete:"):
            st.markdown("What was learnt so far is lost.")
            st.button("Discard it", on_click=_discard, args=(name,))
    _complain([fit for fit in found if fit.stem in MODEL_NAMES])
    if any(fit.state == "paused" for fit in found) and any(fit.state == "waiting" for fit in chain(*fits.values())):
        st.caption("Others wait until it goes on and ends.")
    elif any(fit.state == "waiting" for fit in found):
        st.caption("It begins when another fit ends. A paused one keeps its turn.")
    else:
        _nothing()
    shown = {fit.stem: fit.live.progress for fit in found if fit.live is not None}
    if not shown:
        return
    # There when nothing can be moved, too: where the viewer was scrolled down to them, all would move up without them.
    left, right = st.columns(2)
    if "vae" in shown:
        left.number_input(
            "New beta",
            0.0,
            1000.0,
            shown["vae"].beta,
            step=0.5,
            key=f"{MOVED_BETA}_{name}",
            on_change=_move_beta,
            args=(name,),
            disabled=not is_alive,
            help="Turn it up, and the posterior collapses: all codes fall together. Turn it down, and it comes back.",
        )
    in_force = next(iter(shown.values())).learning_rate
    right.number_input(
        "New rate",
        1e-6,
        1.0,
        in_force,
        step=0.0005,
        format="%.4f",
        key=f"{MOVED_RATE}_{name}",
        on_change=_move_rate,
        args=(name,),
        disabled=not is_alive,
        help="The peak of the learning rate's schedule. Too large, and what was learnt is undone.",
    )
    now = [f"beta {shown['vae'].beta:g}"] if "vae" in shown else []
    now.append(f"rate {in_force:g}")
    st.caption(f"In force: {', '.join(now)}. What you move is recorded: the curves and the checkpoint say when.")


def _order(name: str, state: str) -> None:
    """Tell both models of a fit what to do; a callback."""
    st.session_state.pop(COMPLAINT, None)
    for fit in _fits().get(name, []):
        _control(fit, state=state)


def _discard(name: str) -> None:
    """Give a fit up; a callback. Its processes end a moment later: another may be begun at once."""
    _watch_fit("")
    if st.session_state.get(OWN_FIT) == name:
        del st.session_state[OWN_FIT]
    for fit in _fits().get(name, []):
        try:
            workers.discard(fit.folder, fit.stem)
        except (OSError, ValueError) as error:
            st.session_state[COMPLAINT] = f"The fit cannot be discarded: {error}."


# Streamlit calls these, too, when a widget comes back with the value that it had. Each moves its own number alone: what
# the other box shows may be old, for another session may have moved that.
def _move_beta(name: str) -> None:
    """Move the beta of a fit; a callback."""
    st.session_state.pop(COMPLAINT, None)
    beta = st.session_state[f"{MOVED_BETA}_{name}"]
    for fit in _fits().get(name, []):
        if fit.lives and fit.live is not None and fit.stem != "autoencoder" and beta != fit.live.progress.beta:
            _control(fit, beta=beta)


def _move_rate(name: str) -> None:
    """Move the learning rate of both models of a fit; a callback."""
    st.session_state.pop(COMPLAINT, None)
    rate = st.session_state[f"{MOVED_RATE}_{name}"]
    for fit in _fits().get(name, []):
        if fit.lives and fit.live is not None and rate != fit.live.progress.learning_rate:
            _control(fit, learning_rate=rate)


def _control(
    fit: workers.FitInFolder, state: str | None = None, beta: float | None = None, learning_rate: float | None = None
) -> None:
    try:
        control(fit.folder, fit.stem, state=state, beta=beta, learning_rate=learning_rate)
    except (OSError, ValueError) as error:
        st.session_state[COMPLAINT] = f"The fit cannot be reached: {error}."


def _go_on(name: str) -> None:
    """Go on with a fit that is paused, or take it up again where its processes have ended; a callback."""
    found = _fits().get(name, [])
    if any(fit.lives for fit in found):
        _order(name, "run")
        return
    st.session_state.pop(COMPLAINT, None)
    resumable = [fit for fit in found if fit.can_resume]
    try:
        for experiment in {fit.experiment for fit in resumable if fit.experiment is not None}:
            stems = [fit.stem for fit in resumable]
            workers.start(experiment, data_dir(), checkpoints_dir(), model_names=stems)
    except (OSError, CheckpointError) as error:
        st.session_state[COMPLAINT] = f"The fit cannot be taken up again: {error}."


@fragment(run_every=CURVES_TICK)
def _watch_curves(name: str) -> None:
    """Draw the curves of the fit so far, and what was moved."""
    standing = _stand(name)
    history = {model_name: model.file.history() for model_name, model in standing.items()}
    if not history or any(len(curve.update) < 2 for splits in history.values() for curve in splits.values()):
        st.caption("Curves appear here once there are two measurements.")
        return
    steered = standing.get("vae", next(iter(standing.values())))
    changes = figures.changes(steered.file.changes, history[steered.name]["training"], "updates")
    latent_map.chart(figures.curves(history, "updates", logarithmic=True, changes=changes), key="live_curves")
    st.caption(
        "Higher is better, but for the KL. Solid: training images, dotted: validation images. "
        "An upright line: beta or the learning rate was moved."
    )


@fragment(run_every=STEER_TICK)
def _list_fits(name: str) -> None:
    """List all fits under way, on this computer or in a folder that it shares; they end without this session, too."""
    found = _fits()
    watches, others = name in found, [other for other in found if other != name]
    if not found:
        _nothing()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if watches:
            st.button("Fit another", icon=":material/add:", on_click=_watch_fit, args=("",))
        if others:
            st.markdown("Fits under way:")
        for other in others:
            st.button(escape_markdown(other), key=f"watch_{other}", on_click=_watch_fit, args=(other,))


def _own_experiments(busy: list[str]) -> None:
    """Offer what was fitted here: as a zip, or to be deleted."""
    own = [name for name in experiment_names(checkpoints_dir()) if name not in EXPERIMENTS and name not in busy]
    if not own:
        return
    with st.expander("Fitted here"), st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Experiment that was fitted here", own, width=260)
        folder = checkpoints_dir() / chosen
        st.button("Open", key="open_own", on_click=_open, args=(chosen,))
        st.download_button(
            "As zip", partial(_zipped, folder), f"{chosen}.zip", on_click="ignore", icon=":material/download:"
        )
        # A popover for each: once one is deleted it is closed, and does not ask about the next.
        with st.popover("Delete", icon=":material/delete:", key=f"delete_{chosen}"):
            st.markdown(escape_markdown(f"Delete {chosen} for everyone who uses this server?"))
            st.button("Delete it", on_click=_delete, args=(folder,))


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.glob("*.safetensors")):
            archive.write(path, f"{folder.name}/{path.name}")
    return buffer.getvalue()


def _delete(folder: Path) -> None:
    """Delete an experiment that was fitted here; a callback."""
    st.session_state.pop(COMPLAINT, None)
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:  # another was quicker, or it was clicked twice
        pass
    except OSError as error:
        st.session_state[COMPLAINT] = f"{folder.name} cannot be deleted: {error}."
        return
    if st.session_state.get(selection.EXPERIMENT.name) == folder.name:
        selection.set_for_page({selection.EXPERIMENT: next(iter(EXPERIMENTS))})
