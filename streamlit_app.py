"""The Latent Space Explorer: `streamlit run streamlit_app.py`."""

import streamlit as st

from explorer import library
from explorer.components.card import style
from explorer.state import Key, State
from explorer.views import curves, explore, interpolate, reconstruct, traverse

TABS = {
    "Explore": explore,
    "Interpolate": interpolate,
    "Traverse": traverse,
    "Reconstruct": reconstruct,
    "Training curves": curves,
}

st.set_page_config("Latent Space Explorer", "🔢", layout="wide", initial_sidebar_state=270)
style()

with st.sidebar:
    st.title("Latent Space Explorer")
    experiment = st.selectbox(
        "Experiment",
        library.available(),
        key=Key.EXPERIMENT,
        bind="query-params",
        on_change=State.begin_anew,
        help="A recipe: data, network, latent size. Each holds an autoencoder and a variational autoencoder.",
    )
    about = st.empty()
    plane = st.container()
    State.shown_input()
    details = st.expander("Model details")

with library.sentences():
    twins = library.load(experiment)
    if twins.latent_dim > 2:
        with plane:
            State.plane_inputs(twins.latent_dim)
        twins = library.load(experiment, State.dimensions(twins.latent_dim))
    about.caption(twins.vae.checkpoint.experiment.title)
    with details:
        st.markdown(library.details(twins))
    state = State(twins)
    tabs = st.tabs(list(TABS), key=Key.TAB, on_change="rerun", bind="query-params")
    for tab, view in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view.render(twins, state)
