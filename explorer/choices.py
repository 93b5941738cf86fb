"""A choice of the user: a widget bound to the query parameter of its name, so that copied links open the same view."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

__all__ = [
    "Choice",
    "chosen_texts",
    "drop_unusable",
    "forget_kept",
    "is_history_navigation",
    "is_usable",
    "renamed_input",
    "restore_kept",
    "seed_input",
]

T = TypeVar("T")

LAST_SEED = 9999
_made: dict[str, "Choice[Any]"] = {}  # all of them, by name
_CAME = "came"  # whether the address with which the page was opened has been looked at
_KEPT = "kept"  # what the URL is to hold of choices without widgets, by name; in the session


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One choice: its widget's key, which is its name in the URL, and its default.

    Compare and the tour set choices of other tools, also of those whose widgets are not drawn.
    """

    name: str
    default: T

    def __post_init__(self) -> None:
        _made[self.name] = self

    @property
    def bound(self) -> dict[str, Any]:
        """Keyword arguments of its widget: `st.slider(..., **CHOICE.bound)`."""
        return {"key": self.name, "bind": "query-params"}

    @property
    def value(self) -> T:
        """The chosen value; before the widget is drawn for the first time, the URL's."""
        return self.value_or(self.default)

    def value_or(self, default: T) -> T:
        """Return `value`, with a default that depends on the models."""
        if self.name in st.session_state and not is_history_navigation():
            value: T = st.session_state[self.name]
            return value
        try:
            text = st.query_params[self.name]
            return (text in ("true", "1")) if isinstance(default, bool) else type(default)(text)  # type: ignore[return-value, call-arg]
        except (KeyError, ValueError):
            return default

    def set(self, value: T) -> None:
        """Set the value, in a callback or before the widget is drawn."""
        st.session_state[self.name] = value

    def keep(self, value: T) -> None:
        """Set a choice that no widget is bound to, and write it to the URL; a callback."""
        self.set(value)
        self.write(value)

    def announce(self, value: T) -> None:
        """Write a value that is to be set to the URL, if its widget was never drawn; a callback.

        A widget that is drawn for the first time takes such a value, and does not write it (`register_widget` in
        Streamlit's `session_state.py`).
        """
        if self.name not in st.session_state and value != self.default:
            st.query_params[self.name] = _text(value)

    def write(self, value: T) -> None:
        """Write the value of a choice that no widget is bound to to the URL."""
        text = "" if value == self.default else "1" if value is True else str(value)
        st.session_state.setdefault(_KEPT, {})[self.name] = text
        restore_kept()


def is_history_navigation() -> bool:
    """Return whether this run answers Back or Forward: the address holds the choices; widgets take them over late."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def forget_kept() -> None:
    """Leave the choices without widgets to the address, where it was gone back in; to be called before any is read."""
    if is_history_navigation():
        for name in st.session_state.pop(_KEPT, {}):
            st.session_state.pop(name, None)


def drop_unusable() -> None:
    """Leave out of the address what is empty, or a number that is not finite, and run anew; before any widget is drawn.

    Streamlit fails to make a whole number of the latter, and takes the former for no choice where there must be one.
    """
    if _CAME in st.session_state:
        return  # what comes now is written by the page itself
    st.session_state[_CAME] = True
    unusable = [name for name, text in st.query_params.items() if not is_usable(text)]
    for name in unusable:
        del st.query_params[name]
    if unusable:
        st.rerun()


def is_usable(text: str) -> bool:
    """Return whether an address may hold this: see `drop_unusable`."""
    try:
        return math.isfinite(float(text))
    except ValueError:  # no number
        return text != ""


def chosen_texts() -> dict[str, str]:
    """Return what the session has chosen, by name, as the address would hold it; the defaults are left out.

    Streamlit takes out of the address what belongs to widgets that are not drawn just now; the session remembers it.
    """
    found = {name: st.session_state.get(name) for name in _made}
    return {name: _text(value) for name, value in found.items() if value is not None and value != _made[name].default}


def _text(value: Any) -> str:
    """Return a value as the address holds it; a slider knows its numbers by the text that it shows: 5, not 5.0."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def restore_kept() -> None:
    """Write the choices without widgets to the URL, where it lacks them: a run that follows may drop the last one's."""
    for name, text in st.session_state.get(_KEPT, {}).items():
        if text and st.query_params.get(name) != text:
            st.query_params[name] = text
        elif not text:
            st.query_params.pop(name, None)


def renamed_input(label: str, choice: Choice[str], words: Mapping[str, str], **options: Any) -> str:
    """Draw buttons with other words than their values, which links keep; return the chosen value.

    Args:
        label: of the buttons.
        choice: one of `words`; its default where it is none of them.
        words: of each value.
        options: of `st.segmented_control`.
    """
    choice.set(choice.value if choice.value in words else choice.default)
    # Not bound: a bound widget would write its words to the URL, and no longer know the values of old links.
    chosen = st.segmented_control(
        label, list(words), key=choice.name, format_func=words.__getitem__, required=True, **options
    )
    choice.write(chosen)
    return chosen


def seed_input(choice: Choice[int], again: str) -> int:
    """Draw the widgets of a seed, a number and a button that takes the next; return the seed."""
    seed = st.number_input("Seed", 0, LAST_SEED, choice.default, width=130, **choice.bound)
    st.button(again, icon=":material/casino:", key=again.lower(), on_click=_next_seed, args=(choice,))
    return int(seed)


def _next_seed(choice: Choice[int]) -> None:
    choice.set((int(choice.value) + 1) % (LAST_SEED + 1))
