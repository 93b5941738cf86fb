"""The Latent Space Explorer: `streamlit run streamlit_app.py`."""

from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

# Before anything that looks for it without importing it: Plotly takes pandas from `sys.modules`, and would find it half
# imported where another session's thread needs it late (scikit-learn does). Each session's thread waits here instead.
import pandas  # noqa: F401
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import explorer
from explorer import catalog, handover, invitation, map_layers, memory, originals, selection, tables, warmup
from explorer.choices import drop_unusable, forget_kept, restore_kept
from explorer.components import latent_map
from explorer.components.present import present_keys
from explorer.components.save_picture import save_picture
from explorer.components.tool_bar import show_tool
from explorer.fragments import fragment
from explorer.maps import MapPair
from explorer.models import ModelPair
from explorer.stage import Places, chart_of, draw_legend, draw_stage, grid_input, lay_over, open_stage, send_codes
from explorer.text import escape_markdown
from explorer.views import curves, explore
from training.checkpoint import CheckpointError, misnamed
from training.folders import checkpoints_dir

# By title: a module of `explorer.views`, imported when the tool is opened.
TOOLS = {
    "Explore": "explore",
    "Interpolate": "interpolate",
    "Draw": "draw",
    "Wall": "wall",
    "Traverse": "traverse",
    "Generate": "generate",
    "Reconstruct": "reconstruct",
    "Posterior": "posterior",
    "Training curves": "curves",
    "Train": "train",
    "Beta": "beta",
    "Compare": "compare",
    "Learn": "learn",
}

ARTICLES = {"autoencoder": "an AE", "vae": "a VAE"}
FOLDER = Path(explorer.__file__).parent
SPRITE_COLUMNS = 100  # of the picture with all originals

memory.share_heaps()
st.set_page_config("Latent Space Explorer", FOLDER / "favicon.png", layout="wide")
st.html(FOLDER / "page.css")
latent_map.overlays()
handover.rerun_on_reconnect()


def tool_module(title: str) -> ModuleType:
    """Import a tool's module: it has `render(pair, stage)`, and may have more; see `explorer.views`."""
    return import_module(f"explorer.views.{TOOLS[title]}")


def chosen_now() -> tuple[ModelPair, MapPair] | None:
    """Open what was chosen just now, in a callback; None where it cannot be opened, which the page tells."""
    try:
        pair = selection.chosen_models(st.session_state[selection.EXPERIMENT.name])
        return pair, selection.chosen_maps(pair)
    except CheckpointError:
        return None


def reset_for_experiment() -> None:
    """Choose anew what means nothing in another latent space; a callback."""
    selection.forget_linked_points()
    if not (chosen := chosen_now()):
        return
    pair, maps = chosen
    for map_ in maps:
        selection.set_pick_to_code(map_, 0)
    selection.RINGED_IMAGE.set(0)
    for title in TOOLS:
        if reset := getattr(tool_module(title), "reset", None):
            reset(pair)


def reset_for_beta() -> None:
    """Pick the ringed image in the space of another VAE; a callback."""
    if not (chosen := chosen_now()):
        return
    pair, maps = chosen
    selection.set_pick_to_code(maps.vae, selection.ringed_image(pair))
    curves.reset(pair)
    explore.reset(pair)


def reset_for_plane() -> None:
    """Pick the ringed image on maps of another plane; a callback."""
    if not (chosen := chosen_now()):
        return
    pair, maps = chosen
    for map_ in maps:
        selection.set_pick_to_code(map_, selection.ringed_image(pair))
    explore.reset(pair)
    tool_module("Traverse").reset(pair)


def leave_missing_experiment(names: list[str]) -> str:
    """Choose the first experiment where the chosen one is not there; return the missing one's name, or nothing."""
    chosen = selection.EXPERIMENT.value
    if not chosen or chosen in names:
        return ""
    selection.EXPERIMENT.set(names[0])
    reset_for_experiment()
    return chosen


@fragment()
def run_tool(pair: ModelPair, maps: MapPair, places: Places, choice: DeltaGenerator, is_ready: bool) -> None:
    """Choose a tool and run it: all that a click, a slider or another tool changes."""
    if selection.is_pending():
        st.rerun()  # what is to be shown is chosen outside of this fragment, too
    with choice:
        tool = st.segmented_control(
            "Tools",
            selection.tools_shown(list(TOOLS)),
            default=selection.TOOL.default,
            required=True,
            label_visibility="collapsed",
            **selection.TOOL.bound,
        )
    restore_kept()
    module = tool_module(tool)
    show_tool(tool, str(module.PART.value) if hasattr(module, "PART") else "")
    selection.take_teacher()
    handover.keep(pair.classes, module)
    stage = open_stage(maps, places)
    with stage.viewer:
        if not is_ready:
            warmup.say_that_it_loads()
            return
        warmup.load_torch()
    with stage.strip, catalog.show_errors():
        if lacking := [
            word for each, word in ARTICLES.items() if each in getattr(module, "NEEDS", ()) and not pair.find(each)
        ]:
            stage.viewer.info(escape_markdown(f"{tool} needs {lacking[0]}, and {pair.folder.name} has none."))
            for map_, answer in zip(maps, stage.answers, strict=True):
                with answer:
                    lay_over(map_, [], answer="")
        else:
            module.render(pair, stage)
    with stage.legend:
        draw_legend(maps, getattr(module, "classes", lambda pair: pair.classes)(pair))


drop_unusable()
forget_kept()
selection.apply_pending(reset_for_experiment, reset_for_beta)
experiments = catalog.available()
missing_experiment = leave_missing_experiment(experiments)
with st.container(horizontal=True, vertical_alignment="center", key="topbar"):
    st.title("Latent Space Explorer")
    experiment = st.selectbox(
        "Experiment",
        experiments,
        on_change=reset_for_experiment,
        label_visibility="collapsed",
        width=160,
        **selection.EXPERIMENT.bound,
    )
    beta = st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="beta_row")
    with st.popover("Settings", icon=":material/tune:", help="What the maps show, details, downloads"):
        about = st.empty()
        choices = st.container()
        codes_shown = st.container()
        grid_input()
        class_map = st.container()
        selection.lesson_inputs(list(TOOLS))
        codes_place = st.empty()
        invitation.draw_invitation()
        details = st.container()
        if missing := catalog.what_is_missing():
            st.caption(missing)
    tools = st.container(key="tools", width="content")

save_picture(experiment)
if selection.PRESENT.value:
    with st.container(key="presenting"):  # see `page.css`
        present_keys()
if missing_experiment:
    st.warning(escape_markdown(f"There is no experiment {missing_experiment:.100} here. This is {experiment}."))
for name in misnamed(checkpoints_dir()):
    st.warning(escape_markdown(f"A folder of experiments is left out: its name, {name}, is not UTF-8. Rename it."))

with catalog.show_errors():
    with beta:
        selection.beta_input(experiment, reset_for_beta)
    with choices:
        selection.plane_inputs(experiment, reset_for_plane)
    pair = selection.chosen_models(experiment)
    with class_map:
        selection.class_map_input(pair.classes)
    with codes_shown:
        selection.codes_shown_input(len(pair.labels))
    about.caption(escape_markdown(pair.experiment.title))
    with details:
        st.markdown(tables.details(pair))
    codes_place.download_button(
        "Codes as CSV",
        partial(tables.codes, {model.short.lower(): model.codes for model in pair}, pair.classes.names),
        f"{experiment}-codes.csv",
        on_click="ignore",
        icon=":material/download:",
        help="Where each test image lies in both latent spaces; for the VAE also its encoder's standard deviations.",
    )
    maps = selection.chosen_maps(pair)
    places = draw_stage(maps)
    # Loading torch takes seconds in which this server answers no browser, which asks for Plotly just now: maps first.
    is_ready = warmup.first_map_is_drawn(chart_of(maps.either))
    run_tool(pair, maps, places, tools, is_ready)
    if not is_ready:
        warmup.rerun_after_timeout()
    with_lens = tuple(maps) if maps.either.is_plane and is_ready else ()
    for map_ in with_lens:
        latent_map.send_atlas(chart_of(map_), map_.id, map_.window, map_layers.atlas(map_, map_.window))
        send_codes(map_)
    for map_ in with_lens:  # finer ones, once there is something under the mouse of either map: each takes seconds
        if map_.crowd != map_.window:
            latent_map.send_atlas(chart_of(map_), map_.id, map_.crowd, map_layers.atlas(map_, map_.crowd), part="crowd")
    if is_ready and (sprite := originals.sprite(pair, SPRITE_COLUMNS)):
        latent_map.send_originals(sprite, pair.experiment.image_size, SPRITE_COLUMNS)
