"""Keys for the one who presents: tools, the tool's slider, the film, the faces of the maps."""

from pathlib import Path

import streamlit as st

from explorer.components.scripts import script

__all__ = ["present_keys"]

_FOLDER = Path(__file__).parent
_keys = st.components.v2.component(
    "present_keys", js=script(_FOLDER / "present.js"), css=(_FOLDER / "present.css").read_text(), isolate_styles=False
)


def present_keys() -> None:
    """Mount the keys; once a page, while it presents. `?` lists them on the screen."""
    _keys(key="present_keys", data={}, height=0)
