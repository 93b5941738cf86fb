"""Delay the import of torch until the first map is drawn: it takes seconds in which the server answers no browser."""

import sys
import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.components import latent_map
from explorer.components.sessions import goes_on

__all__ = [
    "FIRST_MAP_TIMEOUT",
    "first_map_is_drawn",
    "is_torch_loaded",
    "load_torch",
    "rerun_after_timeout",
    "say_that_it_loads",
]

FIRST_MAP_TIMEOUT = 8  # seconds in which a browser that can draw the maps has drawn the first
_WAITED_SINCE = "waited_since"  # on a monotonic clock; in the session, not in the URL


def is_torch_loaded() -> bool:
    """Return whether decoding can begin at once; the first decode of a server loads torch, which takes seconds."""
    return "torch" in sys.modules


def first_map_is_drawn(chart: str) -> bool:
    """Return whether the browser has drawn a map, or has waited so long that it never will; slow work may follow."""
    return is_torch_loaded() or goes_on() or latent_map.is_drawn(chart) or _has_waited()


def load_torch() -> None:
    """Load torch if this server has not yet, and say so meanwhile."""
    if not is_torch_loaded():
        place = say_that_it_loads()
        import torch  # noqa: F401

        place.empty()


def say_that_it_loads() -> DeltaGenerator:
    """Say that the decoders are being loaded, in the same place before the first map is drawn and after; return it."""
    place = st.empty()
    place.caption("The decoders are being loaded …")
    return place


@st.fragment(run_every=FIRST_MAP_TIMEOUT + 1)
def rerun_after_timeout() -> None:
    """Go on after the time-out: a browser in which the component does not start never says that it has drawn a map."""
    if _has_waited():
        st.rerun()


def _has_waited() -> bool:
    now = time.monotonic()
    return now - float(st.session_state.setdefault(_WAITED_SINCE, now)) >= FIRST_MAP_TIMEOUT
