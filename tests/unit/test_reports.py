"""What a browser reports: what fits is taken, all else is dropped, and nothing raises."""

import math
from typing import Any

import pytest
from hypothesis import given

from explorer.components import reports
from tests.unit.conftest import ANYTHING


@given(ANYTHING)
def test_whatever_comes_is_what_is_asked_for_or_dropped(value: Any) -> None:
    assert (number := reports.finite(value)) is None or math.isfinite(number)
    assert (index := reports.index(value, 10)) is None or index in range(10)
    assert (several := reports.numbers(value)) is None or all(map(math.isfinite, several))
    assert (points := reports.points(value)) is None or all(len(point) == 2 for point in points)
    assert (strokes := reports.strokes(value, 280)) is None or all(
        each in range(281) for path in strokes for each in path
    )
    assert (text := reports.text(value)) is None or text == value
    assert (texts := reports.texts(value)) is None or texts == value
    assert reports.mapping(value) == (value if isinstance(value, dict) else {})


def test_what_fits_is_taken() -> None:
    assert reports.finite(2) == 2.0
    assert reports.index(9.0, 10) == 9
    assert reports.index(10**9) == 10**9
    assert reports.numbers([1, 2.5]) == [1.0, 2.5]
    assert reports.points([[1, 2], [3, 4, 5]]) == [[1.0, 2.0], [3.0, 4.0]]
    assert reports.mapping({"x": 1})["x"] == 1
    assert reports.strokes([[1, 2.6, -3, 999], []], 280) == [[1, 3, 0, 280]]
    assert reports.texts(["a", ""]) == ["a", ""]


@pytest.mark.parametrize("value", [True, "1", 10**400, -1, 0.5, 10, math.nan, math.inf, None, [1]])
def test_what_is_no_index_is_dropped(value: Any) -> None:
    assert reports.index(value, 10) is None


@pytest.mark.parametrize("value", [[], [1, 2], [[1]], [[1, "2"]], [[1, math.nan]], {"0": [1, 2]}, None])
def test_what_is_no_line_is_dropped(value: Any) -> None:
    assert reports.points(value) is None


def test_what_is_no_stroke_and_no_text_is_dropped() -> None:
    value: Any
    for value in ([[1]], [[1, math.nan]], [1], {}, None):
        assert reports.strokes(value, 280) is None
    assert all(reports.text(value) is None for value in (1, None, ["a"], "a" * 1001))
    assert all(reports.texts(value) is None for value in ("a", None, [1], ["a"] * 21, ["a" * 1001]))
