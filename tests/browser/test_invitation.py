"""The QR code for a class, as a phone in the last row sees it: from the screen, in the light and in the dark."""

import io
from typing import Any, Literal

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import DRAWN, ELSEWHERE, open_map, wait_for_input

pytestmark = pytest.mark.browser

LARGE = 300  # pixels


def test_the_code_on_the_screen_opens_the_present_view_where_others_reach_it(own_page: Page, served: str) -> None:
    page = own_page
    open_map(page, f"{served.replace('localhost', ELSEWHERE)}/?vae_x=1")
    field = page.get_by_label("VAE pick, x", exact=True)
    field.fill("1.5")
    field.press("Enter")
    wait_for_input(page, "VAE pick, x", 1.5)
    page.wait_for_url("**vae_x=1.5*")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Open it to a class").click()
    dialog = page.get_by_test_id("stDialog")
    expect(dialog.get_by_role("heading", name=f"http://{ELSEWHERE}")).to_be_visible()
    code = dialog.locator("img")
    page.wait_for_function("code => code.complete && code.naturalWidth > 0", arg=code.element_handle())
    themes: list[Literal["light", "dark"]] = ["light", "dark"]
    for theme in themes:
        page.emulate_media(color_scheme=theme)
        page.evaluate(DRAWN)
        box: Any = code.bounding_box()
        assert min(box["width"], box["height"]) >= LARGE
        assert box["y"] + box["height"] <= 800  # all of it is on the screen
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.screenshot())))
        assert [each.text for each in found] == [page.url]
    before = code.bounding_box()
    code.evaluate("code => code.removeAttribute('src')")
    assert code.bounding_box() == before  # its room is there before it is


def test_whoever_listens_on_this_computer_only_is_told_how_to_open_it(page: Page, served: str) -> None:
    open_map(page, served)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Open it to a class").click()
    dialog = page.get_by_test_id("stDialog")
    expect(dialog).to_contain_text("streamlit run streamlit_app.py --server.address 0.0.0.0")
    expect(dialog.locator("img")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
