"""A button at the corner of the picture under the mouse, or with the keyboard focus: it saves the picture as PNG.

Two more in the toolbar of each chart save it as PNG or SVG.
"""

from pathlib import Path

import streamlit as st

from explorer.components.scripts import script

__all__ = ["save_picture"]

_FOLDER = Path(__file__).parent
_MAPS = _FOLDER.parent / "latent_map"
_button = st.components.v2.component(
    "save_picture",
    js=script(
        _MAPS / "plotly.js", _MAPS / "marks.js", _MAPS / "symbols.js", _FOLDER / "chart.js", _FOLDER / "save_picture.js"
    ),
    css=(_FOLDER / "save_picture.css").read_text(),
    isolate_styles=False,
)


def save_picture(experiment: str) -> None:
    """Mount the button; once a page.

    Args:
        experiment: the files' names begin with it, and go on with the name that `card.picture` was given.
    """
    _button(key="save_picture", data={"experiment": experiment}, height=0)
