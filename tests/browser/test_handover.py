"""A replica that is killed while a session is open: what it held is on the next one, as the screen shows."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Page, expect

from benchmarks.load import session
from deploy.serve import Replica, Served, serve
from explorer.wall import WALL_VARIABLE
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
from tests.conftest import cannot_run, free_port
from training.experiments import Experiment
from training.folders import CHECKPOINTS_VARIABLE, DATA_VARIABLE

pytestmark = pytest.mark.browser

SEVEN, BAR = [(60, 60), (200, 60), (120, 230)], [(90, 150), (190, 150)]  # in the pad's units
BACK_WITHIN = 5.0  # seconds


@pytest.fixture
def served(fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Two replicas behind HAProxy."""
    if not shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        cannot_run("HAProxy is not installed")
    told = {CHECKPOINTS_VARIABLE: fitted, DATA_VARIABLE: fitted / "no-data", WALL_VARIABLE: tmp_path / "wall.sqlite3"}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    with serve(2, free_port()) as served:
        yield served


def fail_over(served: Served) -> None:
    """Kill the replica that serves the page. The other has loaded torch, as in a lesson that has begun."""

    async def warm() -> None:
        for replica in served.replicas:
            async with session(f"127.0.0.1:{replica.port}") as client:
                await client.open()

    for replica in served.replicas:  # one may just be starting again
        replica.wait_until_healthy()
    with ThreadPoolExecutor(1) as pool:  # Playwright has an event loop in this thread
        pool.submit(asyncio.run, warm()).result()
    (serving,) = [replica for replica in served.replicas if has_session(replica)]
    serving.process.kill()


def has_session(replica: Replica) -> bool:
    """Whether a websocket is open: HAProxy's health checks last but a moment."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        connections = psutil.Process(replica.process.pid).net_connections("tcp")
        if not any(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == replica.port for each in connections):
            return False
        time.sleep(0.02)
    return True


def test_pick_path_and_drawing_survive_their_server(
    own_page: Page, served: Served, fitted: Path, experiment: Experiment
) -> None:
    page = own_page
    open_map(page, f"{served.address}/?path=true")
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

    lose_server(page, served, lambda: None)
    expect_ink(page, ink)
    assert_models_answer_the_picture(page, fitted, experiment)

    # A stroke counts that was drawn before the browser has found the next server.
    lose_server(page, served, lambda: draw(page, BAR))
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
    lose_server(page, served, lambda: page.mouse.click(left + 70, top + 50))
    wait_for_input(page, "VAE pick, x", x)
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (x, y)), 0.02)

    # The tab keeps it, also where the page is loaded anew; another tab has a pad of its own.
    page.reload()
    page.get_by_role("radio", name="Draw", exact=True).click()
    page.locator('img[data-name="drawn"]').wait_for()
    expect_ink(page, ink)
    assert_models_answer_the_picture(page, fitted, experiment)
    other = page.context.new_page()
    other.goto(f"{served.address}/?tab=Draw")
    expect(other.get_by_text("Nothing drawn")).to_have_count(3)
    other.close()


def lose_server(page: Page, served: Served, meanwhile: Callable[[], None]) -> None:
    """Kill who serves, and wait until the page is that of a new session."""
    lost = WIRES[page].socket
    fail_over(served)
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
