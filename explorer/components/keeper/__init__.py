"""What keeps in the browser's tab what a session holds and the address does not, for a session that comes after it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.components.scripts import script
from explorer.components.sessions import session_name

__all__ = ["keeper"]

_keeper = st.components.v2.component("keeper", js=script(Path(__file__).parent / "keeper.js"))


def keeper(held: Mapping[str, Any], *, is_settled: bool) -> object:
    """Mount the keeper; once a page.

    Args:
        held: what the tab is to keep.
        is_settled: whether the tab need no longer hand over what an earlier session held.

    Returns:
        what an earlier session held, as the browser says; None: nothing. In a new session of a page that stays open it
        is there in the first run, after a reload in the second.
    """
    data = {"held": dict(held), "session": session_name(), "settled": is_settled}
    return _keeper(key="keeper", data=data, height=0, on_held_change=lambda: None).held
