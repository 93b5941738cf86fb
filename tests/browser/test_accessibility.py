"""Nobody is left out: axe-core finds nothing on any tool, and the keyboard reaches everything."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import WIRES, open_map, wait_until_idle
from tests.conftest import ROOT, TABS, cannot_run

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What is no violation, or what only Streamlit can mend, by rule.
EXCEPT = {
    # "Inactive user interface components" are exempt; Streamlit fades them, and does not tell axe that such a label is
    # of one: https://github.com/streamlit/streamlit/pull/12555
    "color-contrast": '[data-testid="stButtonGroup"]:has(button[disabled]) *',
    # The uploader's drop zone has the role "presentation" and a label: Streamlit gives the label, react-dropzone the
    # role, https://github.com/react-dropzone/react-dropzone/pull/1182
    "presentation-role-conflict": '[data-testid="stFileUploaderDropzone"]',
}
VIOLATIONS = """async ([rules, except]) => {
    const {violations} = await axe.run(document, {runOnly: {type: "tag", values: rules}});
    return violations.flatMap(({id, nodes}) => nodes
        .filter(({element, target}) => !(except[id] && document.querySelector(target.join(" ")).matches(except[id])))
        .map(({html, any, all, none}) => [id, html, [...any, ...all, ...none][0].message].join(": ")));
}"""
# What stands there is of the last run, and is drawn: no element is stale or fading.
IS_DRAWN = """() => !document.querySelector('[data-stale="true"], .stSkeleton, [data-testid="stSkeleton"]')
    && document.getAnimations().every((animation) => animation.playState !== "running")"""


@pytest.fixture(autouse=True)
def axe_is_there() -> None:
    if not AXE.exists():
        cannot_run("no axe-core found, so nothing is tested for accessibility: `make node_modules/npm.done`")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tool(theme: Any, fresh_page: Page, served: str) -> None:
    page = fresh_page
    page.emulate_media(color_scheme=theme)
    wire = WIRES[page]
    open_map(page, served)
    page.add_script_tag(path=AXE)
    found = {}
    for tool in (*TABS[1:], TABS[0]):  # the first is open
        with wire.until_run_ends():
            page.get_by_role("radio", name=tool, exact=True).click()
        wait_until_idle(page)
        page.wait_for_function(IS_DRAWN)
        found[tool] = page.evaluate(VIOLATIONS, [RULES, EXCEPT])
    assert [f"{tool}: {each}" for tool, all_ in found.items() for each in all_] == []


# The element with the focus: which it is, the part of the page, and whether it looked otherwise before.
FOCUSED = """async () => {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);  // React draws the focus
    for (const animation of document.getAnimations()) animation.finish();  // the focus fades in
    const looks = (element) => {
        const all = [];
        for (let at = element; at && at !== document.body && all.length < 25; at = at.parentElement) {
            const {outline, boxShadow, borderColor, backgroundColor, opacity} = getComputedStyle(at);
            all.push(outline, boxShadow, borderColor, backgroundColor, opacity);
        }
        return all.join();
    };
    window.stops ??= [];
    const last = stops.at(-1);
    if (last) last.seen = last.looks !== looks(last.element);
    const element = document.activeElement;
    if (!element || element === document.body || stops.some((stop) => stop.element === element)) return false;
    const part = ["topbar", "stage", "legend_row", "strip"].findIndex((each) => element.closest(`.st-key-${each}`));
    stops.push({
        element, part, looks: looks(element), isMap: element.matches(".map-overlay"),
        what: `${element.tagName}.${element.className}`,
    });
    return true;
}"""


# All stops, with the names that a screen reader says.
NAMED = """() => {
    axe.setup(document);
    const {accessibleText} = axe.commons.text;
    const named = stops.map(({element, looks, ...others}) => ({...others, name: accessibleText(element)}));
    axe.teardown();
    return named;
}"""


def test_keyboard_reaches_a_map_soon_and_everything_after_it(fresh_page: Page, served: str) -> None:
    page = fresh_page
    open_map(page, served)
    page.get_by_role("heading", name="Decoded at").first.wait_for()
    page.get_by_role("spinbutton", name="Ringed test image").wait_for()
    wait_until_idle(page)
    for _ in range(150):
        page.keyboard.press("Tab")
        if not page.evaluate(FOCUSED):
            break  # beyond the last
    else:
        raise AssertionError("the page has no end")
    assert page.evaluate("document.activeElement === document.body"), "the focus is caught"
    page.add_script_tag(path=AXE)
    stops = page.evaluate(NAMED)
    maps = [number for number, stop in enumerate(stops, start=1) if stop["isMap"]]
    assert len(maps) == 2
    assert maps[0] <= 12
    assert [stop["what"] for stop in stops if not stop["name"] and not stop["what"].startswith("MAIN.")] == []
    assert [(stop["what"], stop["name"]) for stop in stops if not stop["seen"]] == []
    parts = [stop["part"] for stop in stops if stop["part"] >= 0]
    assert parts == sorted(parts)
    assert set(parts) == {0, 1, 2, 3}
    assert {"Save as PNG", "Save as SVG", "Ringed test image"} <= {stop["name"] for stop in stops}
