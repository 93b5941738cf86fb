"""Compare."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_link, wait_until_idle

pytestmark = pytest.mark.browser


def test_compare_opens_the_view_that_shows_a_number(page: Page, served: str) -> None:
    open_link(page, f"{served}/?tab=Compare")
    expect(page.get_by_text("How evenly the digits share the plane")).to_be_visible()
    wait_until_idle(page)
    row = page.locator(".st-key-show_plane_entropy button")
    row.click()
    expect(page.get_by_role("radio", name="Explore")).to_be_checked()
    expect(page.get_by_role("radio", name="grid")).to_be_checked()
