"""Saving, in a real Chromium: what is in the file is what was on the screen."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    centre,
    decode,
    in_chart,
    open_map,
    pixel_of,
    pixels,
    point_at,
    saved,
    seen,
    wait_for_input,
)
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def boxes(page: Page) -> list[object]:
    """Where everything on the page stands."""
    script = "[...document.querySelectorAll('.stApp [data-testid], .stApp img')].map(e => e.getBoundingClientRect())"
    return list(page.evaluate(f"{script}.map(b => [b.x, b.y, b.width, b.height])"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_button_at_the_corner_saves_the_picture(
    theme: Any, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    page.emulate_media(color_scheme=theme)
    open_map(page, f"{served}/?vae_x=0.5&vae_y=-0.25")
    expect(page.locator('img[data-name="pick-vae"]')).to_be_visible()
    button = page.locator(".save-picture")
    expect(button).to_have_count(0)
    before = boxes(page)
    page.locator('img[data-name="pick-vae"]').hover()
    expect(button).to_have_accessible_name("Save PNG: VAE: decode of (0.5, −0.25)")
    assert boxes(page) == before
    name, png = saved(page, button.click)
    assert name == "digits-2d-pick-vae.png"
    assert Image.open(io.BytesIO(png)).size == (224, 224)
    np.testing.assert_allclose(pixels(png), decode(fitted, experiment, "vae", (0.5, -0.25)), atol=0.003)
    # It goes to the next picture with the mouse, and away with it.
    page.locator('img[data-name="ringed-vae"]').hover()
    name, png = saved(page, button.click)
    assert name == "digits-2d-ringed-vae.png"
    page.mouse.move(5, 5)
    expect(button).to_have_count(0)
    np.testing.assert_allclose(pixels(png), seen(page, "ringed-vae"), atol=0.02)


def test_saves_what_the_server_has_just_answered(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, served)
    left, top = pixel_of(page, "map_autoencoder", *centre(page, "map_autoencoder"))
    point = point_at(page, "map_autoencoder", round(left), round(top))
    page.mouse.click(round(left), round(top))
    wait_for_input(page, "AE pick, x", point[0])
    page.locator('img[data-name="pick-autoencoder"]').hover()
    _, png = saved(page, page.locator(".save-picture").click)
    np.testing.assert_allclose(pixels(png), decode(fitted, experiment, "autoencoder", point), atol=0.005)


def test_enter_saves_the_picture_with_the_focus(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, f"{served}/?digit=7")
    page.locator('img[data-name="ringed-autoencoder"]').focus()
    page.keyboard.press("Tab")
    image = page.locator('img[data-name="ringed-vae"]')
    expect(image).to_be_focused()
    expect(page.locator(".save-picture")).to_have_accessible_name("Save PNG: the VAE's decode of its own code")
    name, png = saved(page, lambda: page.keyboard.press("Enter"))
    assert name == "digits-2d-ringed-vae.png"
    code = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).codes().code[7]
    np.testing.assert_allclose(pixels(png), decode(fitted, experiment, "vae", tuple(code.tolist())), atol=0.003)
    expect(image).to_be_focused()


def test_the_lens_is_saved_while_it_is_shown(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, served)
    page.wait_for_function("globalThis.latentAtlases?.has('map_vae')")
    page.locator('img[data-name="pick-vae"]').focus()
    left, top = in_chart(
        page, "map_vae", "const b = chart.getBoundingClientRect(); return [b.x + 0.4 * b.width, b.y + 0.4 * b.height]"
    )
    page.mouse.move(round(left), round(top))
    expect(page.locator("figure .lens")).to_be_visible()
    _, png = saved(page, lambda: page.keyboard.press("Enter"))
    lens = pixels(png)
    page.evaluate("document.activeElement.blur()")
    expect(page.locator(".save-picture")).to_have_count(0)
    np.testing.assert_allclose(lens, seen(page, "pick-vae"), atol=0.003)
    point = point_at(page, "map_vae", round(left), round(top))
    np.testing.assert_allclose(lens, decode(fitted, experiment, "vae", point), atol=0.03)


def test_a_film_is_saved_whole_and_no_wider_than_4096(page: Page, served: str) -> None:
    open_map(page, f"{served}/?tab=Interpolate&frame=20", "map_vae")
    film = page.locator('img[data-name="way-vae"]')
    page.locator(".film", has=film).locator("i").hover()  # also where the mark lies over it
    name, png = saved(page, page.locator(".save-picture").click)
    assert name == "digits-2d-way-vae.png"
    width, _ = film.evaluate("e => [e.naturalWidth, e.naturalHeight]")
    scale = 4096 // width
    assert scale < 8
    strip = pixels(png, scale)
    assert strip.shape == (28, width)
    np.testing.assert_allclose(strip[:, -28:], seen(page, "frame-vae"), atol=0.02)


def test_one_button_and_one_file_after_reruns_tabs_and_themes(page: Page, served: str) -> None:
    open_map(page, served)
    names: list[str] = []
    page.on("download", lambda download: names.append(download.suggested_filename))
    page.get_by_role("radio", name="Interpolate").click()
    expect(page.locator('img[data-name="frame-vae"]')).to_be_visible()
    page.get_by_role("slider", name="Frame").press("End")
    expect(page.locator('img[data-name="frame-vae"]')).to_have_attribute("alt", "VAE: frame 20")
    background = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {background} !== light", arg=light)
    for model in ("vae", "autoencoder"):
        page.locator(f'img[data-name="frame-{model}"]').hover()
        expect(page.locator(".save-picture")).to_have_count(1)
        saved(page, page.locator(".save-picture").click)
    # Had the first click saved twice, its second file would stand between the two.
    assert names == ["digits-2d-frame-vae.png", "digits-2d-frame-autoencoder.png"]


def test_codes_and_curves_are_saved_as_tables(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, f"{served}/?tab=Training+curves", "curves")
    models = {"ae": "autoencoder", "vae": "vae"}
    opened = {short: Checkpoint(checkpoint_path(fitted / experiment.name, model)) for short, model in models.items()}
    page.locator(".st-key-topbar [data-testid=stPopover] button:visible").click()  # Streamlit keeps an unseen one, too
    name, table = saved(page, page.get_by_role("button", name="Codes as CSV").click)
    page.keyboard.press("Escape")
    assert name == "digits-2d-codes.csv"
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    for short, checkpoint in opened.items():
        codes = checkpoint.codes()
        assert [int(row["digit"]) for row in rows] == codes.labels.tolist()
        written = np.array([[row[f"{short}_1"], row[f"{short}_2"]] for row in rows], np.float32)
        np.testing.assert_array_equal(written, codes.code)

    name, table = saved(page, page.get_by_role("button", name="Curves as CSV").click)
    assert name == "digits-2d-curves.csv"
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    curve = opened["vae"].history()["validation"]
    written = np.array([row["elbo"] for row in rows if (row["model"], row["split"]) == ("vae", "validation")], float)
    np.testing.assert_array_equal(written, curve.elbo)


def test_a_chart_is_saved_under_its_own_name(page: Page, served: str) -> None:
    open_map(page, served)
    page.locator(".st-key-map_vae").hover()
    name, png = saved(page, page.locator('.st-key-map_vae [data-title*="PNG"]').click)
    assert name == "map_vae.png"
    box = page.locator(".st-key-map_vae .js-plotly-plot").bounding_box()
    assert box
    assert Image.open(io.BytesIO(png)).width == pytest.approx(2 * box["width"], abs=2)
