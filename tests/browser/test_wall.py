"""The wall in two pages: a student draws and sends, and the teacher sees it."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    decode,
    draw,
    expect_picture,
    form,
    in_chart,
    open_map,
    pixel_of,
    seen,
    wait_for_form,
    wait_until,
    wait_until_idle,
)
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser

SECONDS = 2.0  # from sending to seeing
SEVEN = [(60, 60), (200, 60), (120, 230)]  # in the pad's units
FRAME = (229, 53, 43)  # of one's own drawings


def draw_and_send(page: Page) -> np.ndarray:
    """Draw a seven and send it; return what was drawn, pixels in [0, 1]."""
    draw(page, SEVEN)
    wait_for_form(page, form(SEVEN))  # a part of it comes first
    page.get_by_role("button", name="To the wall").click()
    expect(page.get_by_role("button", name="On the wall")).to_be_visible()
    wait_until_idle(page)
    return seen(page, "drawn")


def at(page: Page, left: float, top: float, side: int) -> np.ndarray:
    """A square of the screen around a pixel, (side, side, 3)."""
    corner = {"x": round(left) - side // 2, "y": round(top) - side // 2, "width": side, "height": side}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=corner))).convert("RGB"))  # type: ignore[arg-type]


def expect_drawing(page: Page, chart: str, point: tuple[float, float], drawn: np.ndarray) -> tuple[float, float]:
    """A drawing stands at a point of a map, to the pixel; return where that is on the screen."""
    place = pixel_of(page, chart, *point)
    on_screen = at(page, *place, 32)[..., 0] / 255
    errors = [np.abs(on_screen[i : i + 28, j : j + 28] - drawn).max() for i in (1, 2, 3) for j in (1, 2, 3)]
    assert min(errors) < 0.02  # pixels are whole
    return place


def test_what_a_student_sends_stands_on_the_teacher_s_wall(
    fresh_page: Page, own_page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    teacher, student = fresh_page, own_page
    open_map(teacher, f"{served}/?tab=Wall")
    expect(teacher.get_by_text("The wall is empty.")).to_be_visible()
    open_map(student, f"{served}/?tab=Draw")
    drawn = draw_and_send(student)
    since = time.monotonic()
    points = {}
    for model in ("autoencoder", "vae"):
        network = Checkpoint(checkpoint_path(fitted / experiment.name, model)).load_network()
        with torch.inference_mode():
            x, y = network.encode(torch.as_tensor(drawn, dtype=torch.float32)[None])[0].tolist()
        points[model] = (x, y)

    def both_are_there() -> None:
        for model, point in points.items():
            expect_drawing(teacher, f"map_{model}", point, drawn)

    wait_until(teacher, both_are_there)
    assert time.monotonic() - since < SECONDS
    left, top = expect_drawing(teacher, "map_vae", points["vae"], drawn)
    # Pointed at, from whatever was there before: the original and both reconstructions.
    teacher.mouse.move(left + 4, top - 4)
    expect_picture(teacher, "wall-drawn", drawn, 0.02)
    for model, point in points.items():
        expect_picture(teacher, f"wall-{model}", decode(fitted, experiment, model, point), 0.02)
    # To the student it is marked, to the teacher it is not.
    student.get_by_role("radio", name="Wall", exact=True).click()
    expect(student.get_by_text("Yours: 1, framed in red.")).to_be_visible()

    def is_framed(page: Page) -> bool:
        square = at(page, *pixel_of(page, "map_vae", *points["vae"]), 36).astype(int)
        return int((np.abs(square - FRAME).max(axis=-1) < 8).sum()) > 200

    student.mouse.move(0, 0)
    wait_until(student, lambda: _assert(is_framed(student)))
    assert not is_framed(teacher)
    # Zoomed, it stays at its code.
    in_chart(teacher, "map_vae", "chart.settled = new Promise((done) => chart.once('plotly_relayout', done)); return 0")
    teacher.mouse.wheel(0, -200)
    in_chart(teacher, "map_vae", "return chart.settled.then(() => 0)")
    wait_until(teacher, lambda: _assert(bool(expect_drawing(teacher, "map_vae", points["vae"], drawn))))
    # Both are teachers, for both are on the server's own computer: what one of them switches, the other sees.
    for turn in ("check", "uncheck"):
        getattr(teacher.get_by_role("switch", name="Show nicknames"), turn)(force=True)
        expect(student.get_by_role("switch", name="Show nicknames")).to_be_checked(checked=turn == "check")
    # Clicked and hidden, it is gone from both.
    teacher.mouse.click(*pixel_of(teacher, "map_vae", *points["vae"]))
    teacher.get_by_role("button", name="Hide drawing 1").click()
    for page in (teacher, student):
        expect(page.get_by_text("The wall is empty.")).to_be_visible()
        expect(page.locator("canvas.map-drawings")).to_have_count(0)
    teacher.get_by_role("button", name="Clear all").click()
    teacher.get_by_role("button", name="Remove them").click()
    expect(teacher.get_by_role("button", name="Bring back 1 hidden")).to_have_count(0)
    expect(teacher.get_by_role("button", name="Remove them")).to_have_count(0)  # what comes next is not cleared with it
    expect(teacher.get_by_role("button", name="Clear all")).to_be_visible()


def _assert(holds: bool) -> None:
    assert holds
