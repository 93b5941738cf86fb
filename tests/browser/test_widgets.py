"""Every widget of every tool is used once in Chromium: no exception box, whatever is moved.

`AppTest` reruns the whole script and so does not see what only a fragment's rerun breaks.
"""

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.conftest import WIDGETS_ARE_THERE, WIRES
from tests.conftest import TABS

pytestmark = pytest.mark.browser

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
ELSEWHERE = [
    ".st-key-experiment",
    ".st-key-tab",
    ".st-key-phone_map",
    ".st-key-play",
    '[class*="st-key-show_"]',
    '[class*="st-key-tour_"]',
    ".st-key-start_fit",  # see test_train
]


# The first widget, or option of one, that was not used yet: its selector, which of those it is, how, and its name.
FIND = """([kinds, elsewhere, used]) => {
    for (const [kind, how] of Object.entries(kinds)) {
        const selector = `.stMain :is(${kind})`;
        for (const [at, widget] of [...document.querySelectorAll(selector)].entries()) {
            if (how !== "move" && !widget.checkVisibility({visibilityProperty: true})) continue;
            if (widget.closest(elsewhere)) continue;
            const key = [...widget.closest('[class*="st-key-"]')?.classList ?? []].find((c) => c.startsWith("st-key-"));
            const name = key + "/" + (widget.matches('[data-testid="stButtonGroup"] *') ? widget.textContent : "");
            if (!used.includes(name)) return [selector, at, how, name];
        }
    }
    return null;
}"""


def use(page: Page, widget: Locator, how: str) -> None:
    """Touch a widget."""
    if how == "move":
        widget.press("ArrowLeft" if widget.evaluate("each => each.value === each.max") else "ArrowRight")
    elif how == "count" and not widget.input_value():  # what is not set shows what it would be
        widget.fill(widget.get_attribute("placeholder") or "1")
        widget.press("Enter")
    elif how == "count":
        widget.press("ArrowUp")
        widget.press("Enter")
    elif how == "choose":
        widget.click()
        page.locator('[role="option"][aria-selected="false"]').first.click()
    else:
        widget.click()


@pytest.mark.parametrize(
    ("opened", "tools", "expected"),
    [
        ("digits-2d", TABS[:5], {"from", "to", "frame", "face"}),
        ("digits-2d", TABS[5:9], {"samples", "seed", "class", "images", "x_axis"}),
        ("digits-2d", TABS[9:], {"step"}),
        ("mnist-14px-8d", ("Explore", "Traverse", "Posterior"), {"face", "move_1", "belief_seed"}),
    ],
)
def test_no_widget_breaks_its_tool(
    opened: str, tools: tuple[str, ...], expected: set[str], fresh_page: Page, served: str, shipped: str
) -> None:
    page = fresh_page
    wire = WIRES[page]
    # The stage is the same for all tools: how it is shown is changed once.
    elsewhere = ELSEWHERE if "Explore" in tools else [*ELSEWHERE, ".st-key-face"]
    used: list[str] = []
    address = served if opened == "digits-2d" else shipped  # small data, and few dimensions; or many
    page.goto(f"{address}/?experiment={opened}&tab={tools[0]}")
    page.locator(".st-key-map_vae .map-overlay").wait_for(state="attached", timeout=60_000)
    for tool in tools:
        radio = page.get_by_role("radio", name=tool, exact=True)
        if not radio.is_checked():
            with wire.until_run_ends():
                radio.click()
        page.wait_for_selector(".stApp[data-test-script-state=notRunning]")
        page.wait_for_function(WIDGETS_ARE_THERE)
        while found := page.evaluate(FIND, [KINDS, f":is({', '.join(elsewhere)})", used]):
            selector, at, how, name = found
            used.append(name)
            with wire.until_run_ends():
                use(page, page.locator(selector).nth(at), how)
            page.wait_for_selector(".stApp[data-test-script-state=notRunning]")
            assert wire.exceptions == [], f"{tool}, {name}"
        assert page.locator('[data-testid="stException"]').count() == 0, tool
    assert expected <= {name.split("/")[0].removeprefix("st-key-") for name in used}
