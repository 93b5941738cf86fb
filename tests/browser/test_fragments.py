"""No click is passed over: what changes in one task of the browser is sent at once, for one fragment."""

from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    WIRES,
    HeldWire,
    draw,
    in_chart,
    message,
    open_map,
    wait_until,
    wait_until_idle,
)
from tests.conftest import streamlit_server

pytestmark = pytest.mark.browser

CLICK = """names => {
    const controls = [...document.querySelectorAll('[role="radio"], [type="checkbox"]')];
    const called = each => each.textContent || each.getAttribute("aria-label") || each.closest("label").textContent;
    for (const found of names.map(name => controls.find(each => called(each) === name))) found.click();
}"""
FILM, PATH = ".film-controls", "Draw a path"
CLASS_MAP = "Colour the background by the classifier's digit"


def assert_picture(page: Page) -> None:
    assert in_chart(page, "map_vae", "return chart._fullLayout.images.length") > 0  # the grid, or the class map


@pytest.mark.parametrize("names", [("grid", "Training curves"), ("Training curves", "grid")])
def test_a_tool_and_a_face_in_one_task_are_both_drawn(fresh_page: Page, served: str, names: tuple[str, str]) -> None:
    open_map(fresh_page, served)
    fresh_page.evaluate(CLICK, names)
    expect(fresh_page.locator(FILM)).to_be_visible()
    wait_until(fresh_page, partial(assert_picture, fresh_page))


def test_what_is_chosen_for_the_whole_page_is_drawn_though_a_tool_came_first(fresh_page: Page, served: str) -> None:
    page = fresh_page
    open_map(page, served)
    page.locator(".st-key-topbar").get_by_test_id("stPopover").get_by_role("button").locator(
        "visible=true"
    ).first.click()
    expect(page.get_by_text(CLASS_MAP)).to_be_visible()
    wait_until_idle(page)
    page.evaluate(CLICK, (PATH, CLASS_MAP))
    expect(page.get_by_text("Drag over the map")).to_have_count(2)
    wait_until(page, partial(assert_picture, page))


@pytest.mark.parametrize("names", [("grid",), (PATH,), ("Training curves",), (PATH, "Training curves")])
def test_the_page_does_not_run_for_what_a_fragment_draws(fresh_page: Page, served: str, names: tuple[str, ...]) -> None:
    open_map(fresh_page, served)
    runs: list[list[str]] = []

    def note(payload: bytes | str) -> None:
        received = message(payload)
        if received.WhichOneof("type") == "new_session":
            runs.append(list(received.metadata.run.fragment_ids))

    wire = WIRES[fresh_page]
    wire.socket.on("framereceived", note)
    with wire.until_run_ends():
        fresh_page.evaluate(CLICK, names)
    wait_until_idle(fresh_page)
    wire.socket.remove_listener("framereceived", note)
    assert runs
    assert all(runs), "the whole page ran"


@pytest.mark.parametrize("part", ["film", "pad"])
def test_what_comes_from_a_tool_that_is_gone_is_dropped(part: str, own_page: Page, served: str) -> None:
    """Such as a film that ends, and a stroke, while the server opens another tool."""
    page, wire = own_page, HeldWire(own_page)
    open_map(page, f"{served}/?tab={'Training curves' if part == 'film' else 'Draw'}")
    if part == "film":
        page.get_by_role("button", name="Play", exact=True).click()
    with wire.hold(lambda sent: True):
        page.locator(".st-key-tab").get_by_role("radio", name="Traverse").click()
        wire.wait_for_runs(page, 1)
        if part == "film":
            page.get_by_role("button", name="Pause", exact=True).click()
        else:
            draw(page, [(100, 100), (180, 180)])
        wire.wait_for_runs(page, 2)
    wait_until_idle(page)
    expect(page.locator(".st-key-strip").get_by_test_id("stSlider").first).to_be_attached()
    expect(page.get_by_test_id("stException")).to_have_count(0)


# What a server does as it starts: where there is a file, it sends nothing before two runs have ended.
BUSY = """
from pathlib import Path
from streamlit.runtime.app_session import AppSession

flush, busy = AppSession.flush_browser_queue, Path(__file__).with_name("busy")

def flush_after_two_runs(session):
    if not busy.exists():
        return flush(session)
    ended = sum(each.WhichOneof("type") == "script_finished" for each in session._browser_queue._queue)
    busy.write_text(str(ended))
    return flush(session) if ended >= 2 else []

AppSession.flush_browser_queue = flush_after_two_runs
"""


def test_a_tool_that_is_left_before_a_busy_server_has_sent_it_does_not_blank_the_page(
    own_page: Page, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BUSY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    tools = own_page.locator(".st-key-tab")
    with streamlit_server(fitted, tmp_path / "no-data") as address:
        open_map(own_page, f"{address}/?tab=Training%20curves")
        (busy := tmp_path / "busy").write_text("0")
        tools.get_by_role("radio", name="Reconstruct").click()  # a fragment within one

        def it_has_run() -> None:
            assert busy.read_text() == "1"

        wait_until(own_page, it_has_run)
        with WIRES[own_page].until_run_ends():
            tools.get_by_role("radio", name="Training curves").click()
        busy.unlink()
        wait_until_idle(own_page)
        expect(own_page.locator(FILM)).to_be_visible()
