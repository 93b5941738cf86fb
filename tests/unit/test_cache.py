"""What all sessions share is computed once, and anew for what differs."""

import gc
import os
import threading
import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cachetools
import numpy as np
import plotly.graph_objects as go
import pytest
import streamlit as st
import torch

from explorer import cache
from explorer.cache import cached
from explorer.maps import Map
from explorer.memory import freeze_gc
from explorer.models import open_models
from training.experiments import Experiment


@dataclass(eq=False)
class Held:
    array: np.ndarray


class Counted:
    """A cached function that counts how often it computes."""

    def __init__(self, size: int = 0) -> None:
        self.computed: list[object] = []

        @cached()
        def of(value: object) -> object:
            self.computed.append(value)
            return Held(np.zeros(size, np.uint8))

        self.of = of


@pytest.mark.parametrize("spinner", ["", "Computing …"])
def test_sessions_that_ask_at_once_have_it_computed_once(spinner: str) -> None:
    begun, may_end = threading.Event(), threading.Event()
    found = []

    @cached(spinner)
    def slow(value: int) -> object:
        begun.set()
        assert may_end.wait(20)
        return object()

    threads = [threading.Thread(target=lambda: found.append(slow(1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    may_end.set()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_what_differs_is_computed_anew() -> None:
    counted = Counted()
    values = (1, True, 1.0, "1", (1, 2), None, np.arange(3), np.arange(3.0), np.arange(4), np.arange(4).reshape(2, 2))
    first = [counted.of(value) for value in values]
    assert len(set(map(id, first))) == len(counted.computed) == len(values)
    same = (1, True, 1.0, "1", (1, 2), None, np.arange(3), np.arange(3.0), np.arange(4), np.arange(4).reshape(2, 2))
    assert [counted.of(value) for value in same] == first


def test_a_file_that_is_written_anew_is_another(tmp_path: Path) -> None:
    counted, path = Counted(), tmp_path / "file"
    missing = counted.of(path)
    path.touch()
    there = counted.of(path)
    os.utime(path, ns=(1, 1))
    assert len({missing, there, counted.of(path)}) == 3
    counted.of(Path(path))
    assert len(counted.computed) == 3


def test_models_and_maps_are_those_of_their_files(fitted: Path, experiment: Experiment) -> None:
    counted = Counted()
    one, other = (open_models(fitted / experiment.name) for _ in range(2))
    assert counted.of(one) is counted.of(other)
    assert counted.of(one.vae) is counted.of(other.vae)
    assert counted.of(Map(one.vae)) is counted.of(Map(other.vae))
    assert len({counted.of(each) for each in (one, one.ae, one.vae, Map(one.vae), Map(one.vae, (1, 0)))}) == 5


def test_an_error_is_not_kept_and_what_is_old_goes() -> None:
    tries = []

    @cached()
    def fails_first(value: int) -> int:
        tries.append(value)
        if len(tries) == 1:
            raise ValueError(value)
        return value

    with pytest.raises(ValueError, match="3"):
        fails_first(3)
    assert fails_first(3) == 3


def test_what_is_kept_is_bounded_in_bytes_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_kept", cachetools.LRUCache(2500, cache._size))
    one, other, large = Counted(800), Counted(800), Counted(3000)
    for value in (1, 2, 1):
        one.of(value)
    other.of(1)  # all functions share the room: the value of 2 goes
    one.of(1), one.of(2)
    assert one.computed == [1, 2, 2]
    assert large.of(1) is not large.of(1)  # too large to be kept at all
    assert large.computed == [1, 1]


def test_sizes_are_those_of_arrays_and_texts_wherever_they_are(fitted: Path, experiment: Experiment) -> None:
    array, text = np.zeros(10_000), "x" * 10_000
    pair = open_models(fitted / experiment.name)
    figure = go.Figure(go.Scattergl(x=array, y=array))
    network = torch.nn.Linear(100, 100)
    for value, expected in (
        (array, 80_000),
        ([text, (array, {"a": array})], 170_000),
        (torch.from_numpy(array), 80_000),
        (network, 4 * 10_100),
        (figure, 160_000),
        (pair.vae, pair.vae.codes.code.nbytes),
        (Held(array), 80_000),
        (None, 0),
        (7, 0),
    ):
        assert expected <= cache._size(value) <= 1.5 * expected + 2_000


def test_only_the_outermost_value_has_a_spinner(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []

    def spinner(words: str) -> nullcontext[None]:
        said.append(words)
        return nullcontext()

    monkeypatch.setattr(st, "spinner", spinner)

    @cached("inner")
    def inner(value: int) -> int:
        return value

    @cached("outer")
    def outer(value: int) -> int:
        return inner(value) + inner(value + 1)

    assert outer(1) == outer(1) == 3
    assert said == ["outer"]
    assert (inner(2), inner(5)) == (2, 5)
    assert said == ["outer", "inner"]


def test_what_holds_itself_is_freed_though_models_are_loaded_meanwhile() -> None:
    freeze_gc()
    figure = Held(np.zeros(1))
    figure.__dict__["itself"] = figure
    seen = weakref.ref(figure)
    freeze_gc()  # as at each model's first decode
    del figure
    gc.collect()
    assert seen() is None
