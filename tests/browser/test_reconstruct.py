"""Reconstruct."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import expect_picture, open_link, wait_until_idle
from training.datasets import Data

pytestmark = pytest.mark.browser


def test_reconstruct_shows_other_images(page: Page, served: str, digits: Data) -> None:
    open_link(page, f"{served}/?tab=Reconstruct")
    originals = page.locator('img[data-name^="original-"]')
    expect(originals).to_have_count(10)
    wait_until_idle(page)
    name = str(originals.first.get_attribute("data-name"))
    image = digits.test.images[int(name.split("-")[1])].numpy() / 255
    expect_picture(page, name, image, 0.01)
    page.get_by_role("button", name="Others").click()
    expect(originals.first).not_to_have_attribute("data-name", name)


@pytest.mark.parametrize(("width", "height"), [(820, 1180), (1280, 800)])
def test_numbers_keep_apart(width: int, height: int, page: Page, shipped: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_link(page, f"{shipped}/?tab=Reconstruct")
    page.locator(".images td b").first.wait_for()
    wait_until_idle(page)
    over = "texts => texts.filter(e => e.scrollWidth > e.closest('td, th').clientWidth).map(e => e.textContent)"
    assert page.locator(".images :is(td, th:not(:first-child)) :is(b, small)").evaluate_all(over) == []
