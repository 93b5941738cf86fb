"""What the browser keeps comes back as it was; what it never kept is dropped, and nothing raises."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from streamlit.testing.v1 import AppTest

from explorer import handover, selection, stage
from explorer.choices import Choice
from explorer.drawing import MAX_DIGITS, MAX_POINTS, SIDE, formed
from explorer.handover import pack, unpack
from explorer.selection import Drawing
from explorer.views import explore, generate, interpolate, learn, train, wall
from explorer.wall import clean_nickname
from tests.unit.conftest import ANYTHING

FORMS = arrays(np.uint8, (28, 28))
POINTS = st.lists(st.tuples(st.integers(0, SIDE), st.integers(0, SIDE)), min_size=1, max_size=5)
STROKES = st.lists(POINTS.map(lambda points: [each for point in points for each in point]), max_size=4)
COUNTS = st.integers(0, 10**6)


@st.composite
def drawings(draw: Any) -> Drawing:
    base, found = draw(st.none() | FORMS), draw(st.lists(FORMS, max_size=MAX_DIGITS))
    return Drawing(
        strokes=draw(STROKES),
        base=base,
        has_base=base is not None and draw(st.booleans()),
        found=found,
        taken=draw(st.integers(0, max(0, len(found) - 1))),
        version=draw(COUNTS),
        answered=draw(COUNTS),
        uploads=draw(COUNTS),
        on_wall=draw(st.none() | FORMS),
        nickname=draw(st.text().map(clean_nickname)),
    )


def same(one: Drawing, other: Drawing) -> bool:
    assert one.strokes == other.strokes
    return all(np.array_equal(value, vars(other)[name]) for name, value in vars(one).items() if name != "strokes")


@given(drawings())
def test_a_drawing_comes_back_as_it_was(on_pad: Drawing) -> None:
    packed = pack(on_pad)
    pictures = (on_pad.base, on_pad.on_wall)
    if on_pad.strokes or on_pad.found or on_pad.nickname or any(each is not None for each in pictures):
        back = unpack(packed)
        assert back is not None
        assert same(back, on_pad)
    else:
        assert packed == {}


@given(drawings(), st.data())
def test_one_part_that_was_never_kept_spoils_a_drawing_or_changes_nothing_else(on_pad: Drawing, data: Any) -> None:
    packed = pack(on_pad)
    if not packed:
        return
    name = data.draw(st.sampled_from(sorted(packed)))
    forged = unpack(packed | {name: data.draw(ANYTHING)})
    if forged is not None:
        image = formed(forged.strokes, forged.base if forged.has_base else None, are_digits=True)
        assert image is None or image.shape == (28, 28)
        assert 0 <= forged.taken < max(1, len(forged.found))
        rest = {each: value for each, value in pack(forged).items() if each not in (name, "has_base")}
        assert rest == {each: packed[each] for each in rest}
    assert unpack({each: part for each, part in packed.items() if each not in (name, "has_base")}) is None or (
        name == "has_base"
    )


@given(ANYTHING)
def test_anything_else_is_no_drawing(value: Any) -> None:
    assert unpack(value) is None


def test_a_drawing_larger_than_any_is_dropped_and_the_longest_is_kept() -> None:
    packed = pack(Drawing(strokes=[[1, 2] * (MAX_POINTS // 2 - 1), [3, 4] * MAX_POINTS]))
    assert [len(each) // 2 for each in packed["strokes"]] == [MAX_POINTS // 2 - 1, MAX_POINTS // 2 + 1]
    assert unpack(packed) is not None
    assert unpack(packed | {"strokes": [*packed["strokes"], [5, 6]]}) is None
    assert unpack(packed | {"found": [handover._text_of(np.zeros((28, 28), np.uint8))] * (MAX_DIGITS + 1)}) is None


def test_every_name_is_that_of_what_a_tool_holds() -> None:
    assert set(handover.HELD) == {train.OWN_FIT, train.ADDED, selection.AUTHOR, selection.TEACHER}
    assert set(handover.HELD_BY_PAGE) == {generate.CHOSEN, learn.ARRANGED, wall.CHOSEN}


def page() -> None:
    import streamlit as st

    from explorer import handover, selection
    from explorer.classes import DIGITS, Classes
    from explorer.views import draw

    handover.keep(Classes(DIGITS), draw)
    st.session_state["shown"] = selection.drawing()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[AppTest, list[tuple[Any, bool]]]]:
    """Two runs of a session: what the browser hands over, whether its page was there before, what the session has."""

    def run_session(handed: object, *, goes_on: bool = True, **own: object) -> tuple[AppTest, list[tuple[Any, bool]]]:
        kept = []

        def keeper(held: object, *, is_settled: bool) -> object:
            kept.append((held, is_settled))
            return handed

        monkeypatch.setattr(handover, "keeper", keeper)
        monkeypatch.setattr(handover, "goes_on", lambda: goes_on)
        app = AppTest.from_function(page)
        for name, value in own.items():
            app.session_state[name] = value
        app.run()
        lost = [each.value for each in app.toast]
        app.run()
        assert not app.exception
        assert not app.toast
        app.session_state["lost"] = lost
        return app, kept

    return run_session


ONE = Drawing(strokes=[[60, 60, 200, 60, 120, 230]], answered=7, nickname="Ada")
HANDED = {
    "drawing": pack(ONE),
    "sample": 3,
    "own_fit": "mine",
    "added": ["a"],
    "choices": {"path": "true", "frame": "inf", "n": "x" * 10**6, "a b": "1", "seed": 3, "samples": "20"},
}


def test_a_session_on_another_server_takes_once_what_the_last_one_held(run: Any) -> None:
    app, kept = run(HANDED)
    shown = app.session_state["shown"]
    assert (shown.strokes, shown.answered, shown.version) == (ONE.strokes, 7, 0)  # the pad goes on
    np.testing.assert_array_equal(shown.image, formed(ONE.strokes, None, are_digits=True))
    assert [app.session_state[name] for name in ("sample", "own_fit", "added")] == [3, "mine", ["a"]]
    assert app.query_params == {"path": "true", "samples": "20"}
    assert [is_settled for _, is_settled in kept] == [False, True]
    assert kept[1][0] == {name: value for name, value in HANDED.items() if name != "choices"}
    assert app.session_state["lost"] == []


def test_a_page_that_is_opened_anew_is_handed_what_is_the_users_but_not_another_view(run: Any) -> None:
    app, _ = run(HANDED, goes_on=False)
    shown = app.session_state["shown"]
    assert (shown.strokes, shown.version) == (ONE.strokes, 1)  # another version: the new page's pad was empty
    assert app.session_state["own_fit"] == "mine"
    assert "sample" not in app.session_state
    assert app.query_params == {}


def test_a_session_that_has_something_of_its_own_is_not_overwritten(run: Any) -> None:
    app, kept = run(HANDED, own_fit="other")
    assert app.session_state["own_fit"] == "other"
    assert app.session_state["shown"].strokes == []
    assert kept == [({"own_fit": "other"}, True)] * 2


def test_a_teacher_who_loads_the_page_anew_is_one_still(run: Any) -> None:
    app, _ = run(HANDED | {"teacher": "key"}, goes_on=False)
    assert app.session_state["teacher"] == "key"
    app, _ = run(HANDED, goes_on=False, teacher="from the link")  # takes the rest
    assert (app.session_state["teacher"], app.session_state["own_fit"]) == ("from the link", "mine")


def test_the_mark_that_the_wall_made_gives_way_to_the_kept_one(run: Any) -> None:
    app, _ = run(HANDED | {"author": "kept"}, author="new")
    assert app.session_state["author"] == "kept"
    assert app.session_state["shown"].strokes == ONE.strokes


@pytest.mark.parametrize("drawn", [{}, None, "x" * 10**6, {"strokes": [[1]]}, pack(ONE) | {"version": float("nan")}])
def test_a_drawing_that_cannot_be_read_is_dropped_and_told(drawn: object, run: Any) -> None:
    app, kept = run({"drawing": drawn, "sample": -1, "own_fit": 7, "added": "a", "choices": [1]})
    assert app.session_state["shown"].strokes == []
    assert not any(name in app.session_state for name in ("sample", "own_fit", "added"))
    assert app.query_params == {}
    assert kept == [({}, False), ({}, True)]
    assert app.session_state["lost"] == [handover.NOT_KEPT]


def test_a_closed_tools_choices_are_kept_and_an_open_ones_are_in_the_address(run: Any) -> None:
    chosen: dict[Choice[Any], Any] = {explore.PATH: True, generate.SHOWN: 20}
    chosen |= {interpolate.FRAME: interpolate.FRAME.default, stage.FACE: "grid", selection.RINGED_IMAGE: 107}
    _, kept = run(None, **{choice.name: value for choice, value in chosen.items()})
    assert kept[0] == ({"choices": {"path": "true", "samples": "20", "digit": "107"}}, False)
