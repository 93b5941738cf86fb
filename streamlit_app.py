"""The Latent Space Explorer: `streamlit run streamlit_app.py`."""

from functools import partial

# Before anything that looks for it without importing it: Plotly takes pandas from `sys.modules`, and would find it half
# imported where another session's thread needs it late (scikit-learn does). Each session's thread waits here instead.
import pandas  # noqa: F401
import streamlit as st

from explorer import catalog, tables
from explorer.components import latent_map
from explorer.components.card import style
from explorer.components.save_picture import save_picture
from explorer.state import Key, State
from explorer.text import escape_markdown
from explorer.views import (
    beta,
    compare,
    curves,
    draw,
    explore,
    generate,
    interpolate,
    learn,
    posterior,
    reconstruct,
    traverse,
)
from training.checkpoint import misnamed
from training.folders import checkpoints_dir

TABS = {
    "Explore": explore,
    "Interpolate": interpolate,
    "Draw": draw,
    "Traverse": traverse,
    "Generate": generate,
    "Reconstruct": reconstruct,
    "Posterior": posterior,
    "Training curves": curves,
    "Beta": beta,
    "Compare": compare,
    "Learn": learn,
}

st.set_page_config("Latent Space Explorer", "🔢", layout="wide", initial_sidebar_state=270)
style()
latent_map.overlays()

with st.sidebar:
    st.title("Latent Space Explorer")
    experiment = st.selectbox(
        "Experiment",
        catalog.available(),
        key=Key.EXPERIMENT,
        bind="query-params",
        on_change=State.begin_anew,
        help="A recipe: data, network, latent size. Each holds an autoencoder and a variational autoencoder.",
    )
    about = st.empty()
    choices = st.container()
    codes_shown = st.container()
    State.reading_input()
    details = st.expander("Model details")
    codes_place = st.empty()

save_picture(experiment)
for name in misnamed(checkpoints_dir()):
    st.warning(escape_markdown(f"A folder of experiments is left out: its name, {name}, is not UTF-8. Rename it."))

with catalog.show_errors():
    with choices:
        State.beta_input(experiment)
        State.plane_inputs(experiment)
    twins = State.twins_of(experiment)
    with codes_shown:
        State.shown_input(len(twins.digits))
    about.caption(escape_markdown(twins.vae.checkpoint.experiment.title))
    with details:
        st.markdown(tables.details(twins))
    codes_place.download_button(
        "Codes as CSV",
        partial(tables.codes, {twin.short.lower(): twin.codes for twin in twins}),
        f"{experiment}-codes.csv",
        on_click="ignore",
        icon=":material/download:",
        help="Where each test image lies in both latent spaces; for the VAE also its encoder's standard deviations.",
    )
    state = State(twins)
    tabs = st.tabs(list(TABS), key=Key.TAB, on_change="rerun", bind="query-params")
    for tab, view in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view.render(twins, state)
