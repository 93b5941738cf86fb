"""What a teacher's link holds: the stage alone, its keys, tools that are left out."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAWN, WIRES, open_map, wait_until, wait_until_idle
from tests.conftest import TABS

pytestmark = pytest.mark.browser


def test_keys_choose_tools_faces_and_frames(page: Page, served: str) -> None:
    open_map(page, f"{served}/?present=1&hide=Posterior,compare")
    tools = page.locator(".st-key-tab").get_by_role("radio")
    expect(tools).to_have_count(len(TABS) - 2)
    for left_out in ("Posterior", "Compare"):
        expect(page.get_by_role("radio", name=left_out)).to_have_count(0)
    page.keyboard.press("2")
    expect(page.locator('img[data-name="frame-vae"]')).to_have_attribute("alt", "VAE: frame 10")
    wait_until_idle(page)
    page.get_by_role("slider", name="Frame").wait_for(state="attached")  # its script comes late
    page.keyboard.press("ArrowRight")
    expect(page.locator('img[data-name="frame-vae"]')).to_have_attribute("alt", "VAE: frame 11")
    for key, face in (("g", "grid"), ("i", "images"), ("c", "codes")):
        page.keyboard.press(key)
        expect(page.get_by_role("radio", name=face, exact=True)).to_be_checked()
    wait_until_idle(page)
    page.keyboard.press("8")
    expect(page.locator(".film-controls")).to_be_visible()
    wait_until_idle(page)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile(r"moment=\d+"))
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("note")).to_contain_text("the tool's slider")
    expect(page.get_by_role("note")).to_contain_text("8\u00a0Training curves, 9\u00a0Train")  # of those that are left
    page.keyboard.press("?")
    expect(page.get_by_role("note")).to_have_count(0)
    assert re.search(r"present=1", page.url)
    assert re.search(r"hide=Posterior(,|%2C)compare", page.url)


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 800, "light"), (1920, 1080, "dark")])
def test_the_stage_is_alone_until_the_mouse_or_the_keyboard_is_at_the_top(
    width: int, height: int, scheme: Literal["light", "dark"], page: Page, served: str
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    open_map(page, f"{served}/?present=1&tab=Interpolate")
    bar, tool = page.locator(".st-key-topbar"), page.locator(".st-key-tab").get_by_role("radio", name="Traverse")
    places = [page.locator(f".st-key-{each}") for each in ("map_autoencoder", "map_vae", "legend_row")]
    page.mouse.move(width / 2, height / 2)

    def is_out_of_sight() -> None:
        box = bar.bounding_box()
        assert box
        assert box["y"] + box["height"] < 12
        assert float(bar.evaluate("bar => getComputedStyle(bar).opacity")) == 0

    def is_in_sight() -> None:
        box = bar.bounding_box()
        assert box
        assert box["y"] == 0
        assert float(bar.evaluate("bar => getComputedStyle(bar).opacity")) == 1

    def is_at_the_top() -> None:
        title = page.locator(".st-key-stage h4").first.bounding_box()
        assert title
        assert title["y"] < 40

    wait_until(page, is_out_of_sight)
    wait_until(page, is_at_the_top)  # widgets in the bar come late, one by one
    stood = [place.bounding_box() for place in places]
    page.mouse.move(width / 2, 3)
    wait_until(page, is_in_sight)
    with WIRES[page].until_run_ends():
        tool.click()
    wait_until(page, is_in_sight)
    page.mouse.move(width / 2, height / 2)
    wait_until(page, is_out_of_sight)
    assert [place.bounding_box() for place in places] == stood  # nothing moves for it
    page.evaluate("document.querySelector('.stMain').focus()")
    page.keyboard.press("Tab")
    wait_until(page, is_in_sight)


def test_words_are_larger_for_the_last_row(page: Page, served: str) -> None:
    sizes = []
    for present in ("", "present=1"):
        open_map(page, f"{served}/?{present}")
        page.locator(".classes button").first.wait_for()
        page.locator(".st-key-viewer .card.pick h5").first.wait_for()
        words = (".card.pick h5", ".card.pick p", ".card.pick figcaption", ".classes button", ".st-key-strip .card p")
        script = "e => parseFloat(getComputedStyle(e).fontSize)"
        sizes.append([page.locator(each).first.evaluate(script) for each in words])
    for usual, presented in zip(*sizes, strict=True):
        assert presented > 1.1 * usual


def test_the_menu_has_both_and_the_link_keeps_them(page: Page, served: str) -> None:
    open_map(page, served)
    page.keyboard.press("2")  # keys are the presenter's
    expect(page.get_by_role("radio", name="Explore", exact=True)).to_be_checked()
    page.locator(".st-key-topbar").get_by_test_id("stPopover").get_by_role("button").locator(
        "visible=true"
    ).first.click()
    with WIRES[page].until_run_ends():
        page.get_by_text("Present: the stage alone").click()
    page.wait_for_url("**present=1*")
    wait_until_idle(page)
    page.evaluate(DRAWN)  # the menu has moved to where its button stands now
    # Typed, it is alone in the list, which scrolls to its first a moment after it was opened, under a quick click.
    page.get_by_role("combobox", name="Tools left out").fill("Beta")
    page.get_by_role("option", name="Beta").click()
    page.wait_for_url("**hide=Beta*")
    page.keyboard.press("Escape")
    expect(page.locator(".st-key-tab").get_by_role("radio", name="Beta")).to_have_count(0)
