"""The plane of rate and distortion: what the VAEs of a sweep pay in KL, and what they get for it."""

from typing import Any

import streamlit as st

from explorer import catalog, figures, selection, sweeps
from explorer.choices import Choice, renamed_input
from explorer.components import latent_map
from explorer.text import escape_markdown, nats, number
from training.checkpoint import CheckpointError, other_betas
from training.folders import checkpoints_dir
from training.sweep_table import kept_path, read_table, sweep_command, table_names, table_path

__all__ = ["rate_distortion"]

SWEEP, COLOUR = Choice("sweep", "betas"), Choice("sweep_colour", "beta")
WORDS = {"beta": "beta", "latent_dim": "latent size", "hidden_layers": "network"}
CHART = "rate_distortion"


def rate_distortion() -> None:
    """Draw the plane of a sweep, chosen among those that have a table."""
    st.markdown("### What a nat of KL buys")
    names = table_names(checkpoints_dir())
    if not names:
        st.markdown("There is no sweep yet. `python -m training sweep betas --keep` fits VAEs of several betas.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = SWEEP.default if SWEEP.default in names else names[0]
        SWEEP.set(SWEEP.value if SWEEP.value in names else default)
        name = st.selectbox("Sweep", names, width=260, **SWEEP.bound)
        colours = st.container()
    with catalog.show_errors():
        _plane(name, colours)


def _plane(name: str, colours: Any) -> None:
    table = read_table(table_path(checkpoints_dir(), name))
    groups = sweeps.groups(table)
    if not groups:
        raise CheckpointError(f"the table of {name} holds no VAE yet; go on with it: {sweep_command(name)}")
    differ = sweeps.settings_that_differ(group.point for group in groups)
    with colours:
        COLOUR.set(COLOUR.value if COLOUR.value in differ else differ[0])
        colour = renamed_input("Coloured by", COLOUR, {each: WORDS[each] for each in differ})
    kept = {
        row.point: row.point.of(table.experiment).name
        for group in groups
        for row in group.rows
        if kept_path(checkpoints_dir(), table.experiment, row.point).exists()
    }
    best = max(groups, key=lambda group: group.mean.elbo)
    st.markdown(
        "Each dot is a VAE: to the right it pays more KL, further up it reconstructs better. Along a dotted line the "
        "ELBO is the same. Look for the highest dotted line that a dot reaches, and for where more KL stops paying. "
        f"The best mean ELBO is {nats(best.mean.elbo)}, at {escape_markdown(figures.point_label(best.point, differ))}."
    )
    latent_map.chart(figures.rate_distortion(groups, colour, kept), key=CHART, on_select=_open)
    own = table.experiment
    seeds = len({row.point.seed for group in groups for row in group.rows})
    spread = "Small dots are seeds, large ones their mean." if seeds > 1 else "Each was fitted with one seed."
    opened = {0: "No model was kept (`--keep`).", 1: "One model was kept: a click opens it."}.get(
        len(kept), f"{len(kept)} models were kept: a click opens one."
    )
    st.caption(
        f"{spread} {opened} {escape_markdown(own.dataset)}, {number(own.epochs, 'd')} epochs, test images. "
        f"Written by `{sweep_command(name)}`."
    )


def _open() -> None:
    """Open the model of a point on the stage, if it was kept; a callback."""
    for point in st.session_state[CHART].selection.points:
        if custom := point.get("customdata"):
            name, beta = custom
            if name:
                settings: dict[Choice[Any], Any] = {selection.EXPERIMENT: name}
                if other_betas(checkpoints_dir() / name):
                    settings[selection.BETA] = float(beta)
                selection.show("Explore", settings)
            else:
                st.toast("This model was not kept. The same sweep with `--keep` keeps its models.")
            return
