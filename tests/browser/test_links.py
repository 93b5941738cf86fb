"""The address, the browser's history and its zoom: the view is the one that was left."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import (
    PICK,
    RANGE,
    WIRES,
    HeldWire,
    decode,
    expect_lens,
    expect_picture,
    in_chart,
    open_lens,
    part,
    pick_of,
    pick_on_map,
    point_at,
    told,
    wait_for_input,
    wait_for_width,
    wait_until,
    wait_until_idle,
)
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_a_link_holds_what_the_legend_greys_out(fresh_page: Page, served: str) -> None:
    page = fresh_page
    open_lens(page, served)
    chips = page.locator(".classes button")
    for at in (4, 1):
        chips.nth(at).click()
    page.wait_for_url(re.compile("grey=1(~|%7E)4"))
    with WIRES[page].until_run_ends():
        page.mouse.click(*part(page, "map_vae", 0.4, 0.4))
    page.wait_for_url(re.compile("vae_x=.*"))  # the server has written what it knows of
    page.wait_for_url(re.compile("grey=1(~|%7E)4"))

    def greyed() -> list[str]:
        faint = "return chart.data.filter(t => t.type === 'scattergl' && t.marker.opacity < 0.2).map(t => t.name)"
        return list(in_chart(page, "map_vae", faint))

    page.reload()
    page.locator(".st-key-map_vae .map-overlay").wait_for(state="attached")
    expect(chips).to_have_count(10)
    wait_until(page, lambda: check_equal(greyed(), ["1", "4"]))
    assert [chips.nth(at).get_attribute("aria-pressed") for at in (0, 1, 4)] == ["true", "false", "false"]
    wait_until_idle(page)
    for at in (1, 4):
        chips.nth(at).click()
    page.wait_for_url(lambda address: "grey" not in address)
    # Nor does the server bring it back, which knew the first address.
    with WIRES[page].until_run_ends():
        page.mouse.click(*part(page, "map_vae", 0.6, 0.6))
    wait_until_idle(page)
    assert "grey" not in page.url
    assert greyed() == []


def test_back_to_other_classes_greys_out_what_was_greyed_there(own_page: Page, shipped: str) -> None:
    page = own_page
    open_lens(page, f"{shipped}/?experiment=mnist-2d")
    chips = page.locator(".classes button")
    chips.nth(4).click()
    page.get_by_role("radio", name="Generate").click()
    page.wait_for_url(re.compile("tab=Generate"))
    wait_until_idle(page)
    page.get_by_role("combobox", name="Experiment").click()
    page.get_by_role("option", name="fashion-mnist-2d").click()
    expect(chips.first).to_have_attribute("aria-label", "T-shirt/top")
    expect(page.locator('.classes button[aria-pressed="false"]')).to_have_count(0)
    wait_until_idle(page)
    page.go_back()
    expect(chips.first).to_have_attribute("aria-label", "0")
    expect(chips.nth(4)).to_have_attribute("aria-pressed", "false")
    wait_until_idle(page)
    assert "grey=4" in page.url


def check_equal(found: object, expected: object) -> None:
    assert found == expected


def test_back_leads_to_the_tool_before_and_its_last_pick(own_page: Page, served: str) -> None:
    page = own_page
    open_lens(page, served)
    page.get_by_label("Ringed test image", exact=True).wait_for()
    picks = [pick_on_map(page, part(page, "map_vae", across, 0.4)) for across in (0.3, 0.6)]
    tools = page.locator(".st-key-tab").get_by_role("radio")
    for tool in ("Generate", "Beta"):
        page.get_by_role("radio", name=tool).click()
        page.wait_for_url(re.compile(f"tab={tool}"))
        wait_until_idle(page)
    for tool, pick in (("Generate", None), ("Explore", picks[1]), ("Explore", picks[0])):
        page.go_back()
        expect(tools.and_(page.get_by_role("radio", name=tool, exact=True))).to_be_checked()
        if pick:
            wait_until(page, lambda pick=pick: check_equal(pick_of(page), pick))  # type: ignore[misc]
        wait_until_idle(page)
    page.go_forward()
    wait_until(page, lambda: check_equal(pick_of(page), picks[1]))


def test_a_widget_that_has_moved_to_another_place_still_writes_to_the_address(own_page: Page, served: str) -> None:
    """The tour has widgets of Explore elsewhere; what was there goes only when the run has ended."""
    page, wire = own_page, HeldWire(own_page)
    open_lens(page, f"{served}/?tab=Learn&step=7")
    before = page.locator(".st-key-path").element_handle()
    with wire.hold(lambda sent: sent.HasField("script_finished")):
        page.get_by_role("radio", name="Explore").click()
        expect(page.locator(".st-key-path")).to_have_count(2)
    page.wait_for_function("before => !before.isConnected", arg=before)
    page.get_by_text("Draw a path").click()
    page.wait_for_url(re.compile("path=true"))
    expect(page.get_by_text("Drag over the map")).to_have_count(2)
    wait_until_idle(page)
    ringed = page.get_by_label("Ringed test image", exact=True)
    ringed.fill("3")
    ringed.press("Enter")
    page.wait_for_url(re.compile("digit=3"))
    page.get_by_text("Draw a path").click()
    page.wait_for_url(lambda address: "path" not in address)


def test_a_widget_beside_a_tool_without_picks_adds_no_entry(own_page: Page, served: str) -> None:
    """Streamlit takes the picks out of the address then; that is no step of Back."""
    page = own_page
    open_lens(page, served)
    pick = pick_on_map(page, part(page, "map_vae", 0.3, 0.4))
    page.get_by_role("radio", name="Interpolate").click()
    page.wait_for_url(re.compile("tab=Interpolate"))
    wait_until_idle(page)
    entries = page.evaluate("history.length")
    page.get_by_role("button", name="Settings").click()
    page.get_by_text("Colour the background by").click()
    page.wait_for_url(re.compile("reading=true"))
    page.wait_for_url(lambda address: "vae_x" not in address)
    wait_until_idle(page)
    assert page.evaluate("history.length") == entries
    page.go_back()
    expect(page.get_by_role("radio", name="Explore", exact=True)).to_be_checked()
    wait_until(page, lambda: check_equal(pick_of(page), pick))


def test_five_picks_are_five_entries_of_the_history(
    own_page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    page = own_page  # a tab's history has 50 entries at most
    wire = WIRES[page]
    open_lens(page, served)
    page.get_by_label("Ringed test image", exact=True).wait_for()
    wait_until_idle(page)
    entries = page.evaluate("history.length")
    picks, addresses = [pick_of(page)], [page.url]
    for number in range(5):
        picks.append(pick_on_map(page, part(page, "map_vae", 0.2 + 0.12 * number, 0.3 + 0.1 * number)))
        page.wait_for_function(f"history.length === {entries + number + 1}")
        addresses.append(page.url)
    assert len(set(picks)) == 6
    for act, order in ((page.go_back, (4, 3, 2, 1, 0)), (page.go_forward, (1, 2, 3, 4, 5))):
        for number in order:
            with wire.until_run_ends():
                act()
            wait_until_idle(page)
            assert page.url == addresses[number]
            for label, value in zip(PICK, picks[number], strict=True):
                expect(page.get_by_label(label, exact=True)).to_have_value(value)
            x, y = (float(each) for each in picks[number][:2])
            expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (x, y)), 0.02)
    assert page.evaluate("history.length") == entries + 5


def test_a_link_holds_zoom_and_a_drawn_path(fresh_page: Page, served: str) -> None:
    page = fresh_page
    wire = WIRES[page]
    open_lens(page, f"{served}/?path=true")
    left, top = part(page, "map_vae", 0.3, 0.6)
    page.mouse.move(left, top)
    page.mouse.wheel(0, -300)
    page.wait_for_url(re.compile("zoom_vae="))
    with wire.until_run_ends():
        page.mouse.down()
        for step in range(100):
            page.mouse.move(left + 2 * step, top - step + 20 * (step % 2))
        page.mouse.up()
    wait_until_idle(page)
    page.wait_for_url(re.compile("vae_path="))
    film = page.locator('img[data-name="path-vae"]')
    expect(film).to_be_visible()
    shown = in_chart(page, "map_vae", RANGE)
    assert len(page.url) < 2000
    link, frames = page.url, str(film.get_attribute("src"))
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    open_lens(page, link)
    expect(film).to_have_attribute("src", frames)
    wait_for_width(page, shown[1] - shown[0])
    assert in_chart(page, "map_vae", RANGE) == pytest.approx(shown, abs=0.002 * (shown[1] - shown[0]))
    expect(page.locator(".st-key-map_vae .map-overlay .path").last).to_be_visible()
    # Back to the whole map, and the address says no more of it.
    page.locator(".st-key-map_vae").hover()
    page.locator('.st-key-map_vae .modebar-btn[data-val="reset"]').click()
    page.wait_for_url(lambda url: "zoom_vae" not in url)


def test_a_links_zoom_outlives_a_chart_that_was_copied_before(page: Page, served: str) -> None:
    open_lens(page, served)
    # Streamlit copies a figure, for its colours, and draws the copy later: in between comes what the link says.
    page.evaluate(
        """() => {
            const chart = document.querySelector(".st-key-map_vae .js-plotly-plot");
            const {uirevision, xaxis} = chart.layout;
            globalThis.fromCopy = new Promise((resolve) => {
                const shown = () => [...chart._fullLayout.xaxis.range, ...chart._fullLayout.yaxis.range];
                chart.on("plotly_afterplot", () => chart.layout.xaxis !== xaxis && resolve(shown()));
            });
            const parse = JSON.parse;
            JSON.parse = (...all) => {
                const copy = parse(...all);
                if (copy?.layout?.uirevision !== uirevision) return copy;
                JSON.parse = parse;
                history.replaceState(history.state, "", "?zoom_vae=0~0~2");
                dispatchEvent(new PopStateEvent("popstate"));
                return copy;
            };
        }"""
    )
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("fromCopy") == pytest.approx([-1, 1, -1, 1])
    wait_until_idle(page)
    assert in_chart(page, "map_vae", RANGE) == pytest.approx([-1, 1, -1, 1])
    assert "zoom_vae=0~0~2" in unquote(page.url)


@pytest.mark.parametrize("zoom", ["0~0", "0~0~0", "0~0~-1", "~~1", "0~0~1e-300", "1e300~0~1", "0~0~1e9", "a~b~c"])
def test_a_link_with_a_damaged_zoom_shows_the_whole_map(zoom: str, page: Page, served: str) -> None:
    open_lens(page, f"{served}/?zoom_vae={zoom}")
    page.wait_for_url(lambda url: "zoom_vae" not in url)  # it is taken away when the map is drawn
    whole = in_chart(
        page,
        "map_vae",
        """const {xaxis, yaxis} = chart._fullLayout;
        return [xaxis._rangeInitial0, xaxis._rangeInitial1, yaxis._rangeInitial0, yaxis._rangeInitial1];""",
    )
    assert in_chart(page, "map_vae", RANGE) == pytest.approx(whole)


@pytest.mark.parametrize("percent", [80, 125, 150])
def test_the_browsers_zoom_leaves_coordinates_exact(
    percent: int, browser: Browser, served: str, fitted: Path, experiment: Experiment
) -> None:
    size: Any = {"width": round(128_000 / percent), "height": round(80_000 / percent)}
    with browser.new_context(viewport=size, device_scale_factor=percent / 100) as context:
        page = context.new_page()
        open_lens(page, served)
        across = page.locator(".stMain").evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert across[0] == across[1]
        place = part(page, "map_vae", 0.62, 0.35)
        expected = point_at(page, "map_vae", *place)
        page.mouse.click(*place)
        wait_for_input(page, "VAE pick, x", expected[0])
        wait_for_input(page, "VAE pick, y", expected[1])
        page.mouse.move(5, 5)
        wait_until_idle(page)
        expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", expected), 0.03)


def test_a_window_made_smaller_under_the_mouse(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_lens(page, served)
    place = part(page, "map_vae", 0.1, 0.5)
    page.mouse.move(*place)
    expect_lens(page, "mouse", fitted, experiment, point_at(page, "map_vae", *place))
    before = point_at(page, "map_vae", *place)
    page.set_viewport_size({"width": 1100, "height": 700})

    def map_has_its_new_size() -> None:
        after = point_at(page, "map_vae", *place)
        assert after != before
        assert told(page)[1] == pytest.approx(after, rel=0.006, abs=0.006)

    wait_until(page, map_has_its_new_size)
    expect_lens(page, "mouse", fitted, experiment, point_at(page, "map_vae", *place))
