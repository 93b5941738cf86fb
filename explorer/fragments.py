"""A part of the page that runs alone, where nothing else has changed."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx

__all__ = ["fragment"]

_clear_queue = AppSession._clear_queue

P = ParamSpec("P")
T = TypeVar("T")


def fragment(run_every: float | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function a `st.fragment` that runs the whole page where a widget outside of it has changed, too.

    Streamlit's page sends what changes within one task of the browser at once, and names the fragment of the first
    change alone (`scheduleFlush`, https://github.com/streamlit/streamlit/pull/12747): while a chart is being drawn, two
    clicks are one task, and nothing drew what the second asked for.

    Args:
        run_every: seconds after which it runs by itself; None for never.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            if _is_change_elsewhere():
                st.rerun()
            return function(*args, **kwargs)

        decorated: Callable[P, T] = st.fragment(run, run_every=run_every)
        return decorated

    return decorate


def _is_change_elsewhere() -> bool:
    """Return whether a widget has changed that no fragment of this run draws."""
    context = get_script_run_ctx()
    if context is None or not (running := context.fragment_ids_this_run):
        return False
    state = context.session_state._state
    for widget, metadata in state._new_widget_state.widget_metadata.items():
        if widget not in state._new_widget_state or not state._widget_changed(widget):
            continue
        home = metadata.fragment_id
        if home is None:
            return True
        fragments = context.fragment_storage
        if fragments.contains(home) and home not in running and not fragments.has_ancestor_in(home, running):
            return True
    return False


def _keep_what_fragments_have_drawn(session: AppSession, fragment_ids_this_run: list[str] | None = None) -> None:
    """Clear what is still to be sent to the browser, but for nothing where only fragments run.

    Streamlit leaves out what the fragments that run again have drawn before, not what fragments within these have: that
    would come to the browser without the containers that it lies in, and a page whose tool is changed twice while the
    server is busy was blank ("Cannot set a node at a delta path").
    """
    _clear_queue(session, None if fragment_ids_this_run is None else [])


AppSession._clear_queue = _keep_what_fragments_have_drawn  # type: ignore[assignment, method-assign]
