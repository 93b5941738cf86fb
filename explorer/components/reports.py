"""What a browser reports, checked at the door of each component: whatever does not fit is None, and is dropped.

The browser is the user's own, and may send anything.
"""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

__all__ = ["finite", "index", "last", "mapping", "numbers", "points", "strokes", "text", "texts"]

LONGEST = 100_000  # numbers in a list: far more than anyone draws
LONGEST_TEXT, MOST_TEXTS = 1000, 20


def last(key: str, name: str) -> Any:
    """Return what the component of this key reported last under this name; None: nothing.

    What a tool's component reports while another tool is being opened comes when it is gone: there is no state then.
    """
    return mapping(st.session_state.get(key)).get(name)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a report's parts by name; none if it has no parts."""
    return value if isinstance(value, dict) else {}


def finite(value: Any) -> float | None:
    """Return a number that is finite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number larger than any float
        return None


def index(value: Any, count: int | None = None) -> int | None:
    """Return a whole number from 0 on, less than a count."""
    number = finite(value)
    if number is None or number != int(number) or not 0 <= number < (math.inf if count is None else count):
        return None
    return int(number)


def numbers(value: Any) -> list[float] | None:
    """Return a list of numbers that are finite."""
    if not isinstance(value, list) or len(value) > LONGEST:
        return None
    found = [finite(each) for each in value]
    return None if None in found else [each for each in found if each is not None]


def points(value: Any) -> list[list[float]] | None:
    """Return a list of at least one point: its first two numbers."""
    if not isinstance(value, list) or not 1 <= len(value) <= LONGEST:
        return None
    found = [numbers(each) for each in value]
    return None if any(each is None or len(each) < 2 for each in found) else [each[:2] for each in found if each]


def strokes(value: Any, side: int) -> list[list[int]] | None:
    """Return paths on a square, each x, y, x, y, ...: whole numbers from 0 to its side; empty paths are left out."""
    paths = [numbers(each) for each in value] if isinstance(value, list) else [None]
    if any(path is None or len(path) % 2 for path in paths):
        return None
    return [[round(min(max(each, 0), side)) for each in path] for path in paths if path]


def text(value: Any) -> str | None:
    """Return a text that is not long."""
    return value if isinstance(value, str) and len(value) <= LONGEST_TEXT else None


def texts(value: Any) -> list[str] | None:
    """Return a short list of texts that are not long."""
    if not isinstance(value, list) or len(value) > MOST_TEXTS:
        return None
    found = [text(each) for each in value]
    return None if None in found else [each for each in found if each is not None]
