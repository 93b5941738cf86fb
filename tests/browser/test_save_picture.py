"""Saving, in a real Chromium: what is in the file is what was on the screen."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from explorer.figures import CLASS_COLOURS
from tests.browser.conftest import (
    before_its_scripts,
    centre,
    decode,
    in_chart,
    middle_of,
    open_link,
    open_map,
    pixel_of,
    pixels,
    point_at,
    saved,
    seen,
    wait_for_input,
    wait_until_idle,
)
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser

NATS = "reconstruction, nats per image"
POSTERIOR = "The encoder's guess, and the exact posterior, mnist-2d"
GUESSES = ("exact posterior p(z|x)", "encoder's guess q(z|x)")


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
    behind_map = "getComputedStyle(document.querySelector('.st-key-map_vae .main-svg')).backgroundColor"
    assert page.evaluate(behind_map) == "rgba(0, 0, 0, 0)"
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
        assert [int(row["class"]) for row in rows] == codes.labels.tolist()
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


LINE = 30  # pixels: the height of a saved map's title, and of its legend
SVG = "{http://www.w3.org/2000/svg}"


def saved_chart(page: Page, chart: str, form: str) -> bytes:
    """A chart as a file, with the button in its toolbar; the mouse goes away again, and with it the toolbar."""
    page.locator(f".st-key-{chart} .js-plotly-plot").hover()
    name, file = saved(page, page.locator(f'.st-key-{chart} [data-title="Save as {form}"]').click)
    assert name == f"{chart}.{form.lower()}"
    page.mouse.move(5, 5)
    return file


def texts_of(svg: bytes) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def classes_of(svg: bytes) -> set[str]:
    return {name for each in ElementTree.fromstring(svg).iter() for name in each.get("class", "").split()}


def plane_of(page: Page, chart: str) -> tuple[int, int, int, int]:
    """Where a map's axes are in its chart, in whole pixels: left, top, right, bottom."""
    axes = "const {_offset: left, _length: width} = chart._fullLayout.xaxis, {_offset: top, _length: height}"
    script = f"{axes} = chart._fullLayout.yaxis; return [left, top, left + width, top + height]"
    left, top, right, bottom = (round(each) for each in in_chart(page, chart, script))
    return left, top, right, bottom


def test_a_saved_map_has_what_is_seen_its_marks_its_title_and_its_legend(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    pick = middle_of(fitted, experiment)
    open_map(page, f"{served}/?vae_x={pick[0]}&vae_y={pick[1]}&digit=3")
    page.wait_for_function("'latentOriginals' in globalThis")
    assert_saved_as_seen(page, pick)
    for face, there in (("images", "canvas.map-images"), ("grid", ".imagelayer-above image, .imagelayer image")):
        page.get_by_role("radio", name=face, exact=True).click()
        expect(page.locator(f".st-key-map_vae :is({there})").first).to_be_attached()
        wait_until_idle(page)
        page.mouse.move(5, 5)
        assert_saved_as_seen(page, pick)


def assert_saved_as_seen(page: Page, pick: tuple[float, float]) -> None:
    box = page.locator(".st-key-map_vae .js-plotly-plot").bounding_box()
    assert box
    png = Image.open(io.BytesIO(saved_chart(page, "map_vae", "PNG"))).convert("RGB")
    assert png.size == pytest.approx((2 * box["width"], 2 * (box["height"] + 2 * LINE)), abs=2)

    # The plane is as it stands on the screen, but for edges that are finer here.
    left, top, right, bottom = plane_of(page, "map_vae")
    drawn = png.resize((png.width // 2, png.height // 2)).crop((left, top + LINE, right, bottom + LINE))
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    x, y = round(box["x"]), round(box["y"])
    on_screen = np.asarray(shot.crop((left + x, top + y, right + x, bottom + y)), float)
    assert np.abs(np.asarray(drawn, float) - on_screen).mean() / 255 < 0.017

    # An arm of the cross is black, with a white edge.
    large = np.asarray(png)
    u, v = pixel_of(page, "map_vae", *pick)
    column, row = round(2 * (u - box["x"] - 8)), round(2 * (v - box["y"] + LINE))
    assert large[row, column].max() < 60
    assert large[row + 4, column].min() > 200

    legend = [large[-LINE, 30 + at * png.width // 10] for at in range(10)]
    assert tuple(f"#{colour.tobytes().hex()}" for colour in legend) == CLASS_COLOURS
    assert (large[: 2 * LINE].max(axis=-1) < 100).sum() > 500  # the title

    svg = saved_chart(page, "map_vae", "SVG")
    root = ElementTree.fromstring(svg)
    assert [float(root.get(side, "")) / 2 for side in ("width", "height")] == pytest.approx(
        [box["width"], box["height"] + 2 * LINE]
    )
    titles = {"Variational autoencoder (VAE), digits-2d", "latent dimension 1 (standard deviations of the prior)"}
    assert titles | {"↑ latent dimension 2 (st. dev. of the prior)"} | set("0123456789") <= set(texts_of(svg))
    assert {"pick", "ring"} <= classes_of(svg)


def test_a_class_that_is_greyed_out_is_grey_in_the_saved_legend(page: Page, served: str) -> None:
    open_map(page, served)
    page.locator(".classes button").nth(3).click()
    expect(page.locator(".classes button").nth(3)).to_have_attribute("aria-pressed", "false")
    png = Image.open(io.BytesIO(saved_chart(page, "map_autoencoder", "PNG"))).convert("RGB")
    assert png.getpixel((30 + 3 * png.width // 10, png.height - LINE)) == (154, 154, 154)


def test_a_title_longer_than_its_map_is_saved_whole(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 650, "height": 900})
    open_map(page, served)
    title = page.locator(".st-key-map_vae .g-xtitle text").bounding_box()
    box = page.locator(".st-key-map_vae .js-plotly-plot").bounding_box()
    assert title
    assert box
    assert title["width"] > box["width"]
    root = ElementTree.fromstring(saved_chart(page, "map_vae", "SVG"))
    left, _, width, _ = (float(part) for part in root.get("viewBox", "").split())
    assert left <= title["x"] - box["x"] + 0.5
    assert left + width >= title["x"] + title["width"] - box["x"] - 0.5


@pytest.mark.parametrize(
    ("tool", "chart", "told", "marked"),
    [
        ("Training curves", "curves", {"ELBO", "KL", "nats per image", "VAE, training", "AE, validation"}, {"moment"}),
        ("Traverse", "kl", {"latent dimension of the VAE", "mean KL, nats per image"}, set()),
    ],
)
def test_a_chart_is_saved_with_its_titles_legend_and_marks(
    page: Page, served: str, tool: str, chart: str, told: set[str], marked: set[str]
) -> None:
    open_map(page, f"{served}/?tab={tool.replace(' ', '+')}")
    assert_saved_with(page, chart, told, marked)


@pytest.mark.parametrize(
    ("tool", "chart", "told", "marked"),
    [
        ("Beta", "trade_off", {"KL, nats per image", NATS, "AE: pays no KL", "0.1", "0.5", "40"}, set()),
        ("Compare", "rate_distortion", {"KL (rate), nats per image", NATS, "beta 40", "ELBO −140"}, set()),
        ("Posterior", "map_posterior", {POSTERIOR, "latent dimension 1 (sd of the prior)", *GUESSES}, {"outline"}),
    ],
)
def test_charts_of_shipped_experiments_are_saved_too(
    page: Page, shipped: str, tool: str, chart: str, told: set[str], marked: set[str]
) -> None:
    open_link(page, f"{shipped}/?experiment=mnist-2d&tab={tool}")
    wait_until_idle(page)
    assert_saved_with(page, chart, told, marked, has_title=tool == "Posterior")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_labels_lie_on_the_pages_own_colour_and_do_so_in_a_file(theme: Any, page: Page, shipped: str) -> None:
    page.emulate_media(color_scheme=theme)
    open_link(page, f"{shipped}/?experiment=mnist-2d&tab=Posterior")
    wait_until_idle(page)
    for chart, told in (("map_posterior", GUESSES), ("map_vae", ("1 sd", "2 sd", "3 sd"))):
        root = ElementTree.fromstring(saved_chart(page, chart, "SVG"))
        labels = {"".join(text.itertext()): (text, back) for text, back in annotations_of(root)}
        for label in told:
            seen = page.locator(f".st-key-{chart} .annotation", has_text=label)
            on_page = [seen.locator(part).evaluate("e => getComputedStyle(e).fill") for part in ("text", ".bg")]
            assert [brightness(each) > 127 for each in on_page] == [theme == "dark", theme == "light"]
            assert [fill_of(part) for part in labels[label]] == on_page


def annotations_of(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, ElementTree.Element]]:
    """The labels in a chart's file: each one's text, and what it lies on."""
    for each in root.iter(f"{SVG}g"):
        if each.get("class") == "annotation":
            back = next(part for part in each.iter() if part.get("class") == "bg")
            yield next(each.iter(f"{SVG}text")), back


def fill_of(part: ElementTree.Element) -> str:
    found = re.search(r"(?:^|; ?)fill: ([^;]+)", part.get("style", ""))
    assert found
    return found[1]


def brightness(colour: str) -> float:
    """Of a colour as browsers say it: 0 to 255."""
    return float(np.mean([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]))


def assert_saved_with(page: Page, chart: str, told: set[str], marked: set[str], *, has_title: bool = False) -> None:
    expect(page.locator(f".st-key-{chart} .g-xtitle text, .st-key-{chart} .g-x2title text").first).to_be_visible()
    for mark in marked:
        page.locator(f".st-key-{chart} .{mark}").first.wait_for(state="attached")
    box = page.locator(f".st-key-{chart} .js-plotly-plot").bounding_box()
    assert box
    svg = saved_chart(page, chart, "SVG")
    assert told <= set(texts_of(svg))
    assert marked <= classes_of(svg)
    png = Image.open(io.BytesIO(saved_chart(page, chart, "PNG")))
    assert png.size == pytest.approx((2 * box["width"], 2 * (box["height"] + has_title * LINE)), abs=2)


def test_a_picture_that_cannot_be_made_is_told(page: Page, served: str) -> None:
    with before_its_scripts(page, "delete OffscreenCanvas.prototype.convertToBlob"):
        open_map(page, served)
        told = page.get_by_role("alert").filter(has_text="Not saved: this browser cannot make the picture")
        page.locator('img[data-name="pick-vae"]').hover()
        page.locator(".save-picture").click()
        expect(told).to_be_visible()
        page.locator(".save-failure").evaluate("told => told.remove()")
        page.locator(".st-key-map_vae .js-plotly-plot").hover()
        page.locator('.st-key-map_vae [data-title="Save as PNG"]').click()
        expect(told).to_be_visible()
        saved_chart(page, "map_vae", "SVG")  # needs less of the browser
