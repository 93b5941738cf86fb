"""No click is passed over: what changes in one task of the browser is sent at once, for one fragment."""

from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import in_chart, open_map, wait_until

pytestmark = pytest.mark.browser

CLICK = """names => {
    const controls = [...document.querySelectorAll('[role="radio"]')];
    for (const found of names.map(name => controls.find(each => each.textContent === name))) found.click();
}"""
FILM = ".film-controls"


def assert_picture(page: Page) -> None:
    assert in_chart(page, "map_vae", "return chart._fullLayout.images.length") > 0  # the grid


@pytest.mark.parametrize("names", [("grid", "Training curves"), ("Training curves", "grid")])
def test_a_tool_and_a_face_in_one_task_are_both_drawn(fresh_page: Page, served: str, names: tuple[str, str]) -> None:
    open_map(fresh_page, served)
    fresh_page.evaluate(CLICK, names)
    expect(fresh_page.locator(FILM)).to_be_visible()
    wait_until(fresh_page, partial(assert_picture, fresh_page))
