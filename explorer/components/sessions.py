"""Which of the server's sessions a component talks to: a new one has not heard what was told to the last at its end."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

__all__ = ["goes_on", "session_name"]


def session_name() -> str:
    """Return a short name of the session, to tell it from the one before."""
    context = get_script_run_ctx()
    return context.session_id[:8] if context is not None else ""


def goes_on() -> bool:
    """Return whether the page was there before this connection to the server: it names the session that it had."""
    # As `streamlit.web.server.starlette.starlette_websocket` takes them: the protocol, a token, a session.
    named = (st.context.headers.get("Sec-WebSocket-Protocol") or "").split(",")
    return len(named) > 2 and named[2].strip() != ""
