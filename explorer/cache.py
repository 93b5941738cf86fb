"""What is computed once, for all sessions.

The rule: what is of one model or map alone, and cheap, is a `cached_property` of it; everything else is a function
under `@cached()`, beside the view that shows it. A class of 40 that asks for the same thing has it computed once: the
others wait for it. What all of them keep together is bounded in bytes, here.

Streamlit's `cache_resource` does the same, but takes a quarter of a millisecond to find a value, and a click asks for a
dozen.
"""

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from threading import Condition, RLock
from typing import Any, ParamSpec, TypeVar

import cachetools
import numpy as np
import plotly.graph_objects as go
import streamlit as st

from explorer.maps import Map
from explorer.models import Model, ModelPair
from training.array_file import file_version

__all__ = ["cached"]

P = ParamSpec("P")
R = TypeVar("R")

MAX_BYTES = 300 * 2**20  # of all that is kept: what was asked for last. What has gone is computed again
OVERHEAD = 100  # bytes
# A spinner takes a place on the page: of values that are computed for others, only the outermost has one.
_is_computing: ContextVar[bool] = ContextVar("is_computing", default=False)


def cached(spinner: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose values all sessions share.

    Args:
        spinner: what the page says while a value is computed, unless that is for another value; empty: nothing.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def compute(*args: P.args, **kwargs: P.kwargs) -> R:
            token = _is_computing.set(True)
            try:
                return function(*args, **kwargs)
            finally:
                _is_computing.reset(token)

        def key(*args: P.args, **kwargs: P.kwargs) -> Hashable:
            return function, _key(*args, **kwargs)

        found = cachetools.cached(_kept, key=key, condition=Condition(_lock))(compute)
        if not spinner:
            return found

        @wraps(function)
        def with_spinner(*args: P.args, **kwargs: P.kwargs) -> R:
            if _is_computing.get() or key(*args, **kwargs) in _kept:
                return found(*args, **kwargs)
            with st.spinner(spinner):
                return found(*args, **kwargs)

        return with_spinner

    return decorate


def _size(value: Any) -> int:
    """Return about how many bytes a value takes: those of its arrays and texts, and some for all else."""
    if isinstance(value, np.ndarray):
        return OVERHEAD + value.nbytes
    if isinstance(value, (str, bytes)):
        return OVERHEAD + len(value)
    if isinstance(value, Model):  # its arrays are read when they are asked for
        return _size(value.codes.__dict__)
    if isinstance(value, Map):
        return value.model.codes.code.nbytes
    if isinstance(value, dict):
        return OVERHEAD + sum(map(_size, value.values()))
    if isinstance(value, (tuple, list)):
        return OVERHEAD + sum(map(_size, value))
    if isinstance(value, go.Figure):
        return OVERHEAD + _size([part.to_plotly_json() for part in (*value.data, value.layout)])
    if hasattr(value, "untyped_storage"):  # a tensor; torch need not be there
        return OVERHEAD + int(value.untyped_storage().nbytes())
    if hasattr(value, "state_dict"):
        return OVERHEAD + _size(value.state_dict())
    return OVERHEAD + _size(getattr(value, "__dict__", ()))


_kept: cachetools.LRUCache[Hashable, Any] = cachetools.LRUCache(MAX_BYTES, _size)
_lock = RLock()


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
