"""Beta: what the weight of the KL trades."""

from itertools import pairwise

import plotly.graph_objects as go
import streamlit as st

from explorer import catalog, figures, map_layers, selection
from explorer.components import latent_map
from explorer.models import ModelPair
from explorer.text import nats, number

__all__ = ["render"]


def _trade_off(pair: ModelPair) -> list[tuple[float, float, float]]:
    """Beta, and the reconstruction and the KL of the test images, of each VAE of the experiment, by beta."""
    name = pair.folder.name
    vaes = [catalog.load(name, beta=beta).vae.checkpoint for beta in catalog.betas(name)]
    return [(vae.experiment.beta, vae.test["reconstruction"], vae.test["kl"]) for vae in vaes]


def _trade_off_figure(pair: ModelPair) -> go.Figure:
    """What each beta makes of reconstruction and KL, with the chosen one marked."""
    chosen = pair.vae.checkpoint.experiment.beta
    return figures.trade_off(_trade_off(pair), chosen, pair.ae.checkpoint.test["reconstruction"])


def render(pair: ModelPair) -> None:
    """Draw the tab: the trade-off of all VAEs of the experiment, and the map of the chosen one."""
    name, experiment = pair.folder.name, pair.vae.checkpoint.experiment
    if len(catalog.betas(name)) == 1:
        st.markdown(
            f"This experiment has one VAE, of beta {experiment.beta:g}. `python -m training fit {name} --beta 4` fits "
            "one more beside it; then a slider at the top chooses between them, and here stands what beta trades."
        )
        return
    st.markdown(
        "**What beta trades.** A VAE fitted to *reconstruction − beta × KL*: move beta, at the top, from nearly an "
        "AE to a collapsed posterior, whose codes say nothing, so that every decode is the mean image. Look at the map "
        "spreading out or shrinking against the circles of the prior, and at where on the curve you are: its numbers "
        "are betas. Each nat of reconstruction has its price in KL, and at beta = 1 it is paid one for one."
    )
    left, right = st.columns([3, 2])
    with left, catalog.show_errors():
        latent_map.chart(_trade_off_figure(pair), key="trade_off")
        for (beta, worse, kl), (next_beta, better, next_kl) in pairwise(_trade_off(pair)):
            if worse < better and kl > next_kl:
                st.markdown(
                    f"The textbook has a smaller beta always reconstruct better. Not here: beta {beta:g} reaches "
                    f"{nats(worse)}, beta {next_beta:g} {number(better)}, and with a smaller KL."
                )
    with right, catalog.show_errors():
        st.markdown(f"#### The VAE of beta {experiment.beta:g}")
        vae_map = selection.chosen_maps(pair).vae
        latent_map.chart(
            map_layers.codes_figure(vae_map, selection.CODES_SHOWN.value, small=True), key="map_beta_vae", size="large"
        )
        test = pair.vae.checkpoint.test
        st.markdown(
            f"ELBO **{number(test['elbo'])}** = {number(test['reconstruction'])} − {nats(test['kl'])} per test image; "
            f"fitted for {experiment.epochs} epochs."
        )
