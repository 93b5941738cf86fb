"""Inputs that nobody means, for some seconds each: `python -m benchmarks fuzz` tries as many as one likes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import fuzz
from tests.conftest import shared_server
from training.folders import checkpoints_dir, data_dir

SECONDS = 7.0  # of each kind


@pytest.fixture(autouse=True)
def coarse() -> Iterator[None]:
    with fuzz.coarse_atlases():
        yield


def fails(one: Callable[[int], fuzz.Failure | None]) -> list[fuzz.Failure]:
    """Try cases, from the first on, as long as there is time."""
    failures, number, began = [], 0, time.monotonic()
    while number == 0 or time.monotonic() < began + SECONDS:
        failures += [failure] if (failure := one(number)) else []
        number += 1
    return failures


def test_no_spoiled_checkpoint_breaks_a_page() -> None:
    assert fails(fuzz.checkpoint) == []


def test_no_address_breaks_a_page() -> None:
    assert fails(fuzz.address) == []


def test_no_forged_message_breaks_a_session() -> None:
    host = shared_server("shipped", checkpoints_dir(), data_dir()).removeprefix("http://")
    with ThreadPoolExecutor(1) as thread:  # Playwright, where a test before has used it, has an event loop in this one
        assert fails(lambda number: thread.submit(asyncio.run, fuzz.messages(host, number)).result()) == []


def test_a_page_that_fails_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no maps today")

    monkeypatch.setattr("explorer.stage.grid_input", fail)
    failure = fuzz.address(0)
    assert failure is not None
    assert "no maps today" in failure.error
