"""Beta: what the weight of the KL trades."""

from itertools import pairwise

import plotly.graph_objects as go
import streamlit as st

from explorer import catalog, figures, selection
from explorer.cache import cached
from explorer.components import latent_map
from explorer.models import ModelPair
from explorer.stage import Stage
from explorer.text import nats, number
from explorer.views.explore import draw_pick

__all__ = ["NEEDS", "render"]

NEEDS = ("vae",)

CHART = "trade_off"
CLICKED = "clicked_beta"  # of the chart's dot that was clicked last; in the session, not in the URL
TradeOff = tuple[tuple[float, float, float], ...]


def _trade_off(pair: ModelPair) -> TradeOff:
    """Return beta, reconstruction and KL (means over the test images) of each VAE of the experiment, by beta."""
    name = pair.folder.name
    vaes = [catalog.load(name, beta=beta).vae.checkpoint for beta in catalog.betas(name)]
    return tuple((vae.experiment.beta, vae.test["reconstruction"], vae.test["kl"]) for vae in vaes)


def _moved(pair: ModelPair) -> str:
    """Return, as an addition to a sentence, whether beta was moved by hand during the fit."""
    betas = [pair.experiment.beta, *(change.beta for change in pair.vae.checkpoint.changes)]
    return f", moved to {betas[-1]:g} during the fit" if len(set(betas)) > 1 else ""


@cached()
def _trade_off_figure(pair: ModelPair, trade_off: TradeOff) -> go.Figure:
    """Draw what each beta makes of reconstruction and KL, with the chosen one marked."""
    ae = pair.find("autoencoder")
    reconstruction = ae.checkpoint.test["reconstruction"] if ae else None
    return figures.trade_off(trade_off, pair.experiment.beta, reconstruction)


def render(pair: ModelPair, stage: Stage) -> None:
    """Draw the tool: the picks' decodes, what the chosen VAE reaches, the trade-off of all VAEs of the experiment."""
    name, experiment = pair.folder.name, pair.experiment
    ringed = selection.ringed_image(pair)
    for map_, answer in zip(stage.maps, stage.answers, strict=True):
        with answer, catalog.show_errors():
            draw_pick(pair, map_, ringed)
    if experiment.is_imported:
        stage.viewer.markdown("This VAE was fitted elsewhere: its beta is not recorded, and there is none beside it.")
        return
    if len(catalog.betas(name)) == 1:
        stage.viewer.markdown(
            f"This experiment has one VAE, of beta {experiment.beta:g}{_moved(pair)}. "
            f"`python -m training fit {name} --beta {4 if experiment.beta != 4 else 1}` fits one more beside it. "
            "Then a slider at the top chooses between them, and here stands what beta trades."
        )
        return
    test = pair.vae.checkpoint.test
    with stage.viewer:
        st.markdown(
            f"**Beta {experiment.beta:g}:** ELBO **{number(test['elbo'])}** = {number(test['reconstruction'])} − "
            f"{nats(test['kl'])} per test image. {_what_happened(pair)} "
            "**Move beta, at the top**, or click a dot below."
        )
    trade_off = _trade_off(pair)
    text, chart = st.columns([1, 2])
    with chart:
        latent_map.chart(_trade_off_figure(pair, trade_off), key=CHART, on_select=_choose)
    with text:
        st.markdown(
            "The VAE was fitted to *reconstruction − beta × KL*. With beta near 0 it is nearly an AE; a large beta "
            "makes its posterior collapse. Watch the codes against the circles of the prior. At beta = 1 one nat of KL "
            "costs as much as one nat of reconstruction."
        )
        for (beta, worse, kl), (next_beta, better, next_kl) in pairwise(trade_off):
            if worse < better and kl > next_kl:
                st.markdown(
                    f"Textbooks say: the smaller beta, the better the reconstruction. Not here: beta {beta:g} reaches "
                    f"{nats(worse)}, beta {next_beta:g} {number(better)}, and with a smaller KL."
                )
    with st.container(horizontal=True):
        selection.picks_inputs(stage.maps)
        selection.ringed_image_input(pair)


def _choose() -> None:
    """Choose the beta of the dot that was clicked; a callback. To Plotly a second click on a dot takes it back."""
    clicked = [point["customdata"] for point in st.session_state[CHART].selection.points if "customdata" in point]
    beta = st.session_state[CLICKED] = clicked[0] if clicked else st.session_state.get(CLICKED)
    if beta is not None:
        selection.set_for_page({selection.BETA: float(beta)})


def _what_happened(pair: ModelPair) -> str:
    """Say what the codes' KL means: in a collapsed posterior they tell nothing of the image."""
    if pair.has_collapsed:
        return "**Collapsed:** every image has nearly the same code, so every decoded image is nearly the mean image."
    return ""
