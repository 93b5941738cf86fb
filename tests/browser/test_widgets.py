"""Every widget of every tab is used once in Chromium: no exception box, whatever is moved.

`AppTest` reruns the whole script and so does not see what only a fragment's rerun breaks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, WebSocket
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.conftest import TABS

pytestmark = pytest.mark.browser

ENDS = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
# What is used, by the part of a widget that a person touches, and how.
KINDS = {
    'input[type="range"]:not([disabled])': "move",
    '[data-testid="stNumberInputField"]:not([disabled])': "count",
    '[data-testid="stButtonGroup"] [role="radio"]:not([data-selected]):not([disabled])': "click",
    '[data-testid="stSelectbox"] input:not([disabled])': "choose",
    '[data-testid="stCheckbox"] label:not(:has(input[disabled]))': "click",
    '[data-testid="stButton"] button:not([disabled])': "click",
}
# These lead to another tab, or go round for ever.
ELSEWHERE = (
    ".st-key-experiment",
    ".st-key-tab",
    ".st-key-phone_map",
    ".st-key-play",
    '[class*="st-key-show_"]',
    '[class*="st-key-tour_"]',
)


def name_of(widget: Locator) -> str:
    """What tells a widget of the page, and one of its options, apart."""
    return str(
        widget.evaluate(
            """each => [...each.closest('[class*="st-key-"]')?.classList ?? []].find((c) => c.startsWith('st-key-'))
                + '/' + (each.matches('[data-testid="stButtonGroup"] *') ? each.textContent : '')"""
        )
    )


class Wire:
    """What the server sends to a page: the exceptions that it shows, and the ends of its runs."""

    def __init__(self, page: Page) -> None:
        self.exceptions: list[str] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        self.socket = socket
        socket.on("framereceived", self._note)

    def _note(self, payload: bytes | str) -> None:
        element = message(payload).delta.new_element
        if element.WhichOneof("type") == "exception":
            self.exceptions.append(element.exception.message)

    @contextmanager
    def until_run_ends(self) -> Iterator[None]:
        """Wait for the end of a run that begins here."""
        with self.socket.expect_event("framereceived", is_end):
            yield


def message(payload: bytes | str) -> ForwardMsg:
    """A message of the server to the browser."""
    parsed = ForwardMsg()
    parsed.ParseFromString(payload if isinstance(payload, bytes) else payload.encode())
    return parsed


def is_end(payload: bytes | str) -> bool:
    found = message(payload)
    return found.WhichOneof("type") == "script_finished" and found.script_finished in ENDS


def use(page: Page, widget: Locator, how: str) -> None:
    """Touch a widget."""
    if how == "move":
        widget.press("ArrowLeft" if widget.evaluate("each => each.value === each.max") else "ArrowRight")
    elif how == "count":
        widget.press("ArrowUp")
        widget.press("Enter")
    elif how == "choose":
        widget.click()
        page.locator('[role="option"][aria-selected="false"]').first.click()
    else:
        widget.click()


@pytest.mark.parametrize(
    ("experiment", "tabs", "expected"),
    [
        ("mnist-2d", TABS, {"from", "to", "frame", "samples", "seed", "images", "x_axis", "face", "n"}),
        ("mnist-14px-8d", ("Explore", "Traverse", "Posterior"), {"face", "move_1", "belief_seed"}),
    ],
)
def test_no_widget_breaks_its_tab(
    experiment: str, tabs: tuple[str, ...], expected: set[str], own_page: Page, shipped: str
) -> None:
    wire = Wire(own_page)
    used: set[str] = set()
    for tab in tabs:
        own_page.goto(f"{shipped}/?experiment={experiment}&tab={tab}")
        own_page.wait_for_selector(".stApp[data-test-script-state=notRunning] .st-key-tab", timeout=60_000)
        own_page.wait_for_load_state("networkidle")  # widgets whose scripts come late are there
        if tab == "Explore":  # its picks wait for the decoders
            own_page.locator(".st-key-ae_x input").wait_for()
        while True:
            found = [
                (widget, how, name)
                for kind, how in KINDS.items()
                for widget in own_page.locator(f".stMain :is({kind})").all()
                if (how == "move" or widget.is_visible())
                and not widget.evaluate(f"each => !!each.closest(':is({', '.join(ELSEWHERE)})')")
                and (name := name_of(widget)) not in used
            ]
            if not found:
                break
            widget, how, name = found[0]
            used.add(name)
            with wire.until_run_ends():
                use(own_page, widget, how)
            own_page.wait_for_selector(".stApp[data-test-script-state=notRunning]")
            assert wire.exceptions == [], f"{tab}, {name}"
        assert own_page.locator('[data-testid="stException"]').count() == 0, tab
    assert expected <= {name.split("/")[0].removeprefix("st-key-") for name in used}
