"""Generate: random codes, decoded by both models, and how many of them are digits."""

import math

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import library, quality
from explorer.components import latent_map
from explorer.components.card import markup, picture
from explorer.measures import SAMPLES
from explorer.state import State
from explorer.twins import Twin, Twins

__all__ = ["render"]

Wall = tuple[Twin, str, str]  # whose decodes, of which codes (see `measures.samples`), and its title


def render(twins: Twins, state: State) -> None:
    """The tab: three walls of decodes, where on the maps their codes fell, and how many are digits."""
    st.markdown(
        "**Random codes, decoded.** A VAE is fitted so that codes drawn from the standard Gaussian N(0, I), its prior, "
        "decode to digits; nothing tells an AE to do the same. Its fair chance is a Gaussian fitted to its own codes. "
        "Look for digits that never come up, and for pictures that are none. Below each: what a classifier reads, "
        "**?** if it is less than 90 % sure. Black dots on the maps: where the random codes fell."
    )
    walls: tuple[Wall, ...] = (
        (twins.ae, "prior", "AE, z ~ N(0, I)"),
        (twins.ae, "fitted", "AE, z ~ its own Gaussian"),
        (twins.vae, "prior", "VAE, the same z ~ N(0, I)"),
    )
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    places = []
    for column, (twin, source, title) in zip(st.columns(3), walls, strict=True):
        with column:
            st.markdown(f"#### {title}")
            places.append((st.container(), st.container()))
            chart = f"map_generated_{twin.name}_{source}"
            latent_map.chart(library.codes_figure(twin, State.shown(), small=True), key=chart)
    _walls(walls, places, controls, state)
    for (twin, source, _), (_, place) in zip(walls, places, strict=True):
        with place, library.sentences():
            _reading(twin, source)


@st.fragment
def _walls(
    walls: tuple[Wall, ...], places: list[tuple[DeltaGenerator, DeltaGenerator]], controls: DeltaGenerator, state: State
) -> None:
    with controls:
        n, seed = state.samples_inputs()
    for (twin, source, title), (place, _) in zip(walls, places, strict=True):
        with place, library.sentences():
            samples = library.generate(twin, source, n, seed)
            pictures = [
                picture(
                    address, f"{title}, sample {i + 1}", name=f"{twin.name}-{source}-{i + 1}", caption=_read(samples, i)
                )
                for i, address in enumerate(samples.pictures)
            ]
            latent_map.overlay(
                f"map_generated_{twin.name}_{source}",
                [latent_map.dots(samples.points)],
                answer=markup(pictures, kind="wall"),
            )


def _read(samples: library.Samples, i: int) -> str:
    if samples.probabilities is None:
        return ""
    belief = samples.probabilities[i]
    return f"{belief.argmax()}" if belief.max() >= quality.SURE else "?"


def _reading(twin: Twin, source: str) -> None:
    reading = library.reading(twin, source)
    st.markdown(
        f"**{100 * reading.read.value:.1f} %** (± {100 * reading.read.error:.1f} %) of {SAMPLES:,} such pictures are "
        "read as a digit; "
        f"evenness of the digits among them: **{reading.entropy:.2f}** of {math.log(10):.2f} nats."
    )
