"""What keeps the open tool in sight where the screen is too narrow for all of them."""

from pathlib import Path

import streamlit as st

from explorer.components.scripts import script

__all__ = ["show_tool"]

_tool_bar = st.components.v2.component("tool_bar", js=script(Path(__file__).parent / "tool_bar.js"))


def show_tool(tool: str, part: str = "") -> None:
    """Scroll the row of tools to one, and the page to its beginning where another is shown; once a page.

    Args:
        tool: its title.
        part: which of its parts is shown, where it shows one at a time.
    """
    _tool_bar(key="tool_bar", data={"tool": tool, "part": part}, height=0)
