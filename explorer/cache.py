"""What is computed once, for all sessions.

The rule: what is of one model or map alone, and cheap, is a `cached_property` of it; everything else is a function
under `@cached()`, beside the view that shows it. A class of 40 that asks for the same thing has it computed once: the
others wait for it.

Streamlit's `cache_resource` does the same, but takes a quarter of a millisecond to find a value, and a click asks for a
dozen.
"""

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from threading import Condition
from typing import Any, ParamSpec, TypeVar

import cachetools
import numpy as np
import streamlit as st

from explorer.maps import Map
from explorer.models import Model, ModelPair
from training.array_file import file_version

__all__ = ["FEW", "MANY", "cached"]

P = ParamSpec("P")
R = TypeVar("R")

ENTRIES = 64  # of each function: enough for the models; what is older is computed again
MANY = 256  # of what also depends on a class' choices, and is small
FEW = 4  # of what takes tens of megabytes
# A spinner takes a place on the page: of values that are computed for others, only the outermost has one.
_is_computing: ContextVar[bool] = ContextVar("is_computing", default=False)


def cached(spinner: str = "", entries: int = ENTRIES) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose values all sessions share.

    Args:
        spinner: what the page says while a value is computed, unless that is for another value; empty: nothing.
        entries: how many values are kept: those asked for last.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def compute(*args: P.args, **kwargs: P.kwargs) -> R:
            token = _is_computing.set(True)
            try:
                return function(*args, **kwargs)
            finally:
                _is_computing.reset(token)

        found = cachetools.cached(cachetools.LRUCache(entries), key=_key, condition=Condition())(compute)
        if not spinner:
            return found

        @wraps(function)
        def with_spinner(*args: P.args, **kwargs: P.kwargs) -> R:
            if _is_computing.get() or _key(*args, **kwargs) in found.cache:
                return found(*args, **kwargs)
            with st.spinner(spinner):
                return found(*args, **kwargs)

        return with_spinner

    return decorate


def _key(*args: object, **kwargs: object) -> Hashable:
    return tuple(map(_part, args)), tuple((name, _part(value)) for name, value in sorted(kwargs.items()))


def _part(value: Any) -> Hashable:
    """Return what tells an argument apart from others: never the address of what can change or be collected."""
    if isinstance(value, (Model, Map)):
        return type(value), value.key
    if isinstance(value, ModelPair):
        return tuple(model.key for model in value)
    if isinstance(value, Path):  # it stands for what is in the file: one that is written anew is read anew
        return value, file_version(value)
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    part: Hashable = value
    return type(value), part  # 1 is neither True nor 1.0
