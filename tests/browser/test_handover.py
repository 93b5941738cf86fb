"""A server that goes while a session is open: what it held comes back with the next, judged by what is on the screen.

Here the server is killed, and another is started at its port. A proxy that takes another replica is another `Service`.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    WIRES,
    assert_models_answer_the_picture,
    centre,
    decode,
    draw,
    expect_picture,
    form,
    open_map,
    painted,
    pixel_of,
    point_at,
    wait_for_form,
    wait_for_input,
    wait_until,
    wait_until_idle,
)
from tests.conftest import free_port, start_server
from training.experiments import Experiment

pytestmark = pytest.mark.browser

SEVEN, BAR = [(60, 60), (200, 60), (120, 230)], [(90, 150), (190, 150)]  # in the pad's units
BACK_WITHIN = 5.0  # seconds after the next server answers


class Service(NamedTuple):
    """Who serves a page, at one address."""

    address: str
    fail_over: Callable[[], None]  # kills who serves, and returns when another answers


@pytest.fixture
def service(fitted: Path) -> Iterator[Service]:
    """A server that is killed, and another that is started at its port."""
    port = free_port()
    process, address = start_server(fitted, fitted / "no-data", port, is_warm=True)

    def fail_over() -> None:
        nonlocal process
        process.kill()
        process.wait()
        process, _ = start_server(fitted, fitted / "no-data", port, is_warm=True)

    yield Service(address, fail_over)
    process.kill()
    process.wait()


def test_pick_path_and_drawing_survive_their_server(
    own_page: Page, service: Service, fitted: Path, experiment: Experiment
) -> None:
    page = own_page
    open_map(page, f"{service.address}/?path=true")
    left, top = pixel_of(page, "map_vae", *centre(page, "map_vae"))
    page.mouse.click(left, top)
    wait_for_input(page, "VAE pick, x", point_at(page, "map_vae", left, top)[0])
    page.mouse.move(left - 100, top - 60)
    page.mouse.down()
    page.mouse.move(left + 80, top + 70, steps=10)
    page.mouse.up()
    path = page.locator('img[data-name="path-vae"]')
    path.wait_for()
    pick, film = pick_on_page(page), str(path.get_attribute("src"))
    page.get_by_role("radio", name="Draw", exact=True).click()
    page.locator(".pad canvas").wait_for()
    wait_until_idle(page)
    draw(page, SEVEN)
    wait_for_form(page, form(SEVEN))
    ink = painted(page)

    lose_server(page, service, lambda: None)
    expect_ink(page, ink)
    assert_models_answer_the_picture(page, fitted, experiment)

    # A stroke counts that was drawn before the browser has found the next server.
    lose_server(page, service, lambda: draw(page, BAR))
    wait_for_form(page, form(SEVEN, BAR))
    assert_models_answer_the_picture(page, fitted, experiment)
    ink = painted(page)
    page.get_by_role("radio", name="Explore", exact=True).click()
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", pick), 0.02)
    assert pick_on_page(page) == pick
    expect(path).to_have_attribute("src", film)

    # So does a click.
    wait_until_idle(page)
    left, top = pixel_of(page, "map_vae", *centre(page, "map_vae"))
    x, y = point_at(page, "map_vae", left + 70, top + 50)
    lose_server(page, service, lambda: page.mouse.click(left + 70, top + 50))
    wait_for_input(page, "VAE pick, x", x)
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (x, y)), 0.02)

    # The tab keeps it, also where the page is loaded anew; another tab has a pad of its own.
    page.reload()
    page.get_by_role("radio", name="Draw", exact=True).click()
    page.locator('img[data-name="drawn"]').wait_for()
    expect_ink(page, ink)
    assert_models_answer_the_picture(page, fitted, experiment)
    other = page.context.new_page()
    other.goto(f"{service.address}/?tab=Draw")
    expect(other.get_by_text("Nothing drawn")).to_have_count(3)
    other.close()


def lose_server(page: Page, service: Service, meanwhile: Callable[[], None]) -> None:
    """Exchange who serves, and wait until the page is that of a new session."""
    lost = WIRES[page].socket
    service.fail_over()
    since = time.monotonic()
    meanwhile()
    page.mouse.move(0, 0)

    def check() -> None:
        assert WIRES[page].socket is not lost
        assert WIRES[page].runs

    wait_until(page, check)
    wait_until_idle(page)
    assert time.monotonic() - since < BACK_WITHIN


def pick_on_page(page: Page) -> tuple[float, float]:
    """Where the VAE's pick is, by its inputs."""
    x, y = (float(page.get_by_label(f"VAE pick, {axis}", exact=True).input_value()) for axis in "xy")
    return x, y


def expect_ink(page: Page, ink: np.ndarray) -> None:
    """Until the pad looks so."""
    wait_until(page, lambda: np.testing.assert_allclose(painted(page), ink, rtol=0, atol=0.02))
