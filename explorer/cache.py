"""What is computed once, for all sessions.

The rule: what is of one model or map alone, and cheap, is a `cached_property` of it; everything else is a function
under `@cached()`, beside the view that shows it. A class of 40 that asks for the same thing has it computed once:
Streamlit holds a lock for each value.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

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


def _key(value: Model | Map) -> tuple[object, ...]:
    return value.key


def _pair_key(pair: ModelPair) -> tuple[object, ...]:
    return tuple(model.key for model in pair)


def _path_key(path: Path) -> tuple[str, int]:
    return str(path), file_version(path)


# A path stands for what is in the file: one that is written anew is read anew.
_KEYS: dict[str | type[Any], Callable[[Any], Any]] = {
    Model: _key,
    Map: _key,
    ModelPair: _pair_key,
    type(Path()): _path_key,
}


def cached(spinner: str | bool = False, entries: int = ENTRIES) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose values all sessions share.

    Args:
        spinner: what the page says while a value is computed; False: nothing.
        entries: how many values are kept.
    """
    return st.cache_resource(show_spinner=spinner, max_entries=entries, hash_funcs=_KEYS)
