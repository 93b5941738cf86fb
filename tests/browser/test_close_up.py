"""Marks that are small on a map, in a real Chromium: the viewer shows them large, and takes clicks as the map does."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from explorer import latent
from tests.browser.conftest import (
    WINDOW,
    in_chart,
    middle,
    middle_of,
    open_map,
    pixel_of,
    point_at,
    saved,
    wait_at,
    wait_for_input,
    wait_over,
    wait_until,
    wait_until_idle,
)
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser

CLOSE_UP = "close_up_vae"
LINE = 30  # pixels: the height of a saved chart's title, and of each row of its classes
IN_COLOUR = ("t => t.marker.opacity > 0.5", "t => t.marker.opacity < 0.5")  # and greyed out, not gone


def width_of(shape: Locator) -> float:
    """The larger side of a mark; marks are drawn anew with each answer, and so for a moment there is none."""
    side = (
        "(es) => Math.max(0, ...es.flatMap(e => { const b = e.getBoundingClientRect(); return [b.width, b.height]; }))"
    )
    widths = []

    def is_seen() -> None:
        widths.append(float(shape.evaluate_all(side)))
        assert widths[-1]

    wait_until(shape.page, is_seen)
    return widths[-1]


def click_close_up(page: Page, across: float, down: float, chart: str = CLOSE_UP) -> tuple[float, float]:
    """Click it so far across and down; return the point that stands there."""
    plane = page.locator(f".st-key-{chart} .nsewdrag")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    assert box
    left, top = round(box["x"] + across * box["width"]), round(box["y"] + down * box["height"])
    point = point_at(page, chart, left, top)
    page.mouse.click(left, top)
    return point


def bottom_of(page: Page, selector: str) -> float:
    """The lower edge of a part of the page, as it stands on the screen, in pixels."""
    return float(page.locator(selector).evaluate("part => part.getBoundingClientRect().bottom"))


def test_a_short_path_is_shown_large_and_a_click_there_picks(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    codes = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).codes().code
    x, y = middle_of(fitted, experiment)
    image = latent.nearest(codes, (x, y)).image
    start = codes[image] + 0.03 * latent.window(codes).side
    open_map(page, f"{served}/?tab=Interpolate&from=pick&vae_x={start[0]:.4f}&vae_y={start[1]:.4f}&to_image={image}")
    path = page.locator(f".st-key-{CLOSE_UP} .map-overlay .path").last
    path.wait_for(state="attached")
    assert width_of(page.locator(".st-key-map_vae .map-overlay .path").last) < 40
    assert width_of(path) > 80
    expect(page.locator(".st-key-viewer")).to_contain_text("A close-up of the marks on the VAE's map: click it, too.")
    expect(page.locator(f".st-key-{CLOSE_UP} canvas")).to_have_count(0)  # no WebGL
    for part, around in ((f".st-key-{CLOSE_UP}", ".st-key-viewer"), (".st-key-ends", ".stApp")):  # nothing is scrolled
        assert bottom_of(page, part) <= min(bottom_of(page, around), WINDOW["height"])
    assert_it_is_saved_as_it_stands(page)
    there = classes_in_colour(page)[0]
    assert len(there) > 1
    label = min(there)
    chip = page.locator(".classes button").nth(int(label))

    def is_alone() -> None:
        in_colour, greyed = classes_in_colour(page)
        assert in_colour <= {label}
        assert greyed

    def is_none_greyed() -> None:
        assert not classes_in_colour(page)[1]

    chip.dblclick()
    wait_until(page, is_alone)

    point = click_close_up(page, 0.3, 0.2)
    wait_for_input(page, "VAE pick, x", point[0])
    wait_for_input(page, "VAE pick, y", point[1])
    # It follows the path that begins there now.
    wait_until_idle(page)
    page.wait_for_function(
        "([left, bottom, right, top]) => { const {xaxis, yaxis} = "
        f"document.querySelector('.st-key-{CLOSE_UP} .js-plotly-plot')._fullLayout; "
        "return xaxis.range[0] < left && right < xaxis.range[1] && yaxis.range[0] < bottom && top < yaxis.range[1]; }",
        arg=[f(point[axis], float(codes[image][axis])) for f in (min, max) for axis in (0, 1)],
    )
    wait_until(page, is_alone)  # what the server has drawn anew, too
    chip.dblclick()
    wait_until(page, is_none_greyed)


def assert_it_is_saved_as_it_stands(page: Page) -> None:
    chart = page.locator(f".st-key-{CLOSE_UP} .js-plotly-plot")
    shown = np.asarray(Image.open(io.BytesIO(chart.screenshot())).convert("L"), float) / 255
    chart.hover()
    button = page.locator(".save-picture")
    expect(button).to_have_accessible_name("Save PNG: VAE, close-up")
    name, png = saved(page, button.click)
    assert name == f"{CLOSE_UP}.png"
    page.mouse.move(5, 5)
    expect(button).to_have_count(0)
    # Twice as large, under its title and the axis', above the classes.
    height, width = shown.shape
    twice = np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)[:, : 2 * width] / 255
    assert len(twice) > 2 * (height + 2 * LINE)
    parts = (twice[top : top + 2 * height] for top in range(2 * LINE, len(twice) - 2 * (height + LINE) + 1))
    assert min(np.abs(part.reshape(height, 2, width, 2).mean((1, 3)) - shown).mean() for part in parts) < 0.01


def classes_in_colour(page: Page) -> tuple[set[str], set[str]]:
    """Which classes are in colour on the close-up, and which are greyed out there, as on the map."""
    names = [in_chart(page, CLOSE_UP, f"return chart.data.filter({each}).map(t => t.name)") for each in IN_COLOUR]
    return set(names[0]), set(names[1])


def test_a_long_path_has_no_close_up(page: Page, served: str) -> None:
    open_map(page, f"{served}/?tab=Interpolate")
    expect(page.locator('img[data-name="frame-vae"]')).to_be_visible()
    wait_until_idle(page)
    assert width_of(page.locator(".st-key-map_vae .map-overlay .path").last) > 40
    expect(page.locator(".st-key-viewer")).not_to_contain_text("close-up")


def test_the_tour_shows_an_encoders_gaussian_large(page: Page, shipped: str) -> None:
    open_map(page, f"{shipped}/?tab=Learn&step=5")
    x, y = (page.get_by_label(f"VAE pick, {axis}", exact=True).input_value() for axis in "xy")
    assert_gaussian_is_large(page)
    # A throw of a few standard deviations would leave the ellipse less room: this one, of the link, is at the mean.
    open_map(page, f"{shipped}/?tab=Learn&step=7&vae_x={x}&vae_y={y}")
    assert_gaussian_is_large(page)


def assert_gaussian_is_large(page: Page) -> None:
    ellipse = page.locator(f".st-key-{CLOSE_UP} .map-overlay .outline").last
    ellipse.wait_for(state="attached")
    wait_until_idle(page)
    assert width_of(page.locator(".st-key-map_vae .map-overlay .outline").last) < 40
    assert width_of(ellipse) > 60
    # With the step and the decodes, over none of them: nothing has been scrolled.
    edges = "part => { const b = part.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }"
    left, top, right, bottom = page.locator(f".st-key-{CLOSE_UP}").evaluate(edges)
    around = page.locator(".st-key-viewer").evaluate(edges)
    assert around[0] <= left
    assert around[1] <= top
    assert right <= around[2]
    assert bottom <= page.locator(".st-key-lesson").evaluate(edges)[1]
    for model in ("autoencoder", "vae"):
        assert page.locator(f'img[data-name="pick-{model}"]').evaluate(edges)[2] <= left
    shown = in_chart(page, CLOSE_UP, "return chart._fullData.reduce((n, {x}) => n + x.length, 0)")
    assert 0 < shown < 1_000  # the codes near it, not all of them

    point = click_close_up(page, 0.45, 0.55)
    wait_for_input(page, "VAE pick, x", point[0])
    wait_for_input(page, "VAE pick, y", point[1])
    wait_at(page.locator(".st-key-map_vae .map-overlay .pick").last, *pixel_of(page, "map_vae", *point))


def test_random_codes_in_a_blob_are_shown_large_and_a_click_chooses_one(page: Page, shipped: str) -> None:
    open_map(page, f"{shipped}/?tab=Generate&view=all+codes")
    chart = "close_up_autoencoder"
    dots = page.locator(f".st-key-{chart} .map-overlay .dot[fill=black]")
    expect(dots).to_have_count(10)
    wait_until_idle(page)
    expect(page.locator(f".st-key-{CLOSE_UP}")).to_have_count(0)  # the VAE's map shows them large enough
    page.locator(f".st-key-{chart}").scroll_into_view_if_needed()
    x, y = in_chart(page, chart, "return chart._fullLayout.xaxis.range.concat(chart._fullLayout.yaxis.range)")[::3]
    points = [point_at(page, chart, *middle(dots.nth(at))) for at in range(10)]
    corner = min(range(10), key=lambda at: (points[at][0] - x) ** 2 + (points[at][1] - y) ** 2)
    click_close_up(page, 0.02, 0.02, chart)
    expect(page.locator('img[data-name="sample-autoencoder"]')).to_have_attribute("alt", f"AE: sample {corner + 1}")
    ring = page.locator(f".st-key-{chart} .map-overlay .ring").last
    wait_over(ring, lambda: middle(dots.nth(corner)))
