"""Explore: maps, clicks, the lens under the mouse, legend and keyboard."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coloraide import Color
from PIL import Image
from playwright.sync_api import Page, expect

from explorer import latent
from explorer.figures import CLASS_COLOURS
from explorer.maps import Map
from explorer.models import open_models
from tests.browser.conftest import (
    CLOUDS,
    MODELS,
    centre,
    decode,
    expect_picture,
    in_chart,
    middle,
    open_map,
    pixel_of,
    point_at,
    seen,
    wait_at,
    wait_for_input,
    wait_until_idle,
    zoom_and_pan,
)
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser


# The traces of the codes, one a digit, in a script in which `chart` is Plotly's graph div.


def test_first_map_shows_the_codes(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, served)
    for model in MODELS:
        script = f"return {CLOUDS}.map(t => [...t.x].map((x, i) => [x, t.y[i]]))"
        drawn = np.concatenate(in_chart(page, f"map_{model}", script))
        codes = Checkpoint(checkpoint_path(fitted / experiment.name, model)).codes()
        by_digit = np.concatenate([codes.code[codes.labels == digit] for digit in range(10)])
        np.testing.assert_allclose(drawn, by_digit, atol=1e-5)
    # And they are painted, each digit in its colour (the dots let a quarter of the white page through).
    shot = page.locator(".st-key-map_vae .js-plotly-plot").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
    for colour in CLASS_COLOURS:
        painted = np.array([0.75 * int(colour[i : i + 2], 16) + 0.25 * 255 for i in (1, 3, 5)])
        assert (np.abs(pixels - painted).max(axis=2) < 12).sum() > 20, colour


@pytest.mark.parametrize(("model", "face"), [("autoencoder", "grid"), ("vae", "codes")])
def test_click_decodes_exactly_that_point_after_zoom_and_pan(
    model: str, face: str, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(page, f"{served}/?face={face}", f"map_{model}")
    label = f"{MODELS[model].upper()} pick, "
    zoom_and_pan(page, f"map_{model}")
    x_before = page.get_by_label(f"{label}x", exact=True).input_value()
    box = in_chart(
        page, f"map_{model}", "const b = chart.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )
    left, top = round(box[0] + 0.42 * box[2]), round(box[1] + 0.61 * box[3])
    expected = point_at(page, f"map_{model}", left, top)
    in_chart(page, f"map_{model}", "chart.sameAsBefore = true; return 0")
    places = page.evaluate(
        "[...document.querySelectorAll('[data-testid]')].map(e => [e.dataset.testid, e.getBoundingClientRect().y])"
    )

    page.mouse.click(left, top)
    wait_for_input(page, f"{label}x", expected[0])
    wait_for_input(page, f"{label}y", expected[1])
    assert page.get_by_label(f"{label}x", exact=True).input_value() != x_before
    wait_until_idle(page)
    expect_picture(page, f"pick-{model}", decode(fitted, experiment, model, expected), 0.02)

    # The cross stands where the mouse was, the chart was not sent again, and nothing else moved.
    cross = page.locator(f".st-key-map_{model} .map-overlay .pick").last
    assert middle(cross) == pytest.approx((left, top), abs=1.5)
    assert in_chart(page, f"map_{model}", "return chart.sameAsBefore")
    after = page.evaluate(
        "[...document.querySelectorAll('[data-testid]')].map(e => [e.dataset.testid, e.getBoundingClientRect().y])"
    )
    assert after == places


@pytest.mark.parametrize("face", ["codes", "grid"])
def test_lens_decodes_the_point_under_the_mouse(
    face: str, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(page, f"{served}/?face={face}")
    page.wait_for_function("globalThis.latentAtlases?.has('map_vae')")
    zoom_and_pan(page, "map_vae")
    caption = page.locator('figure:has(img[data-name="pick-vae"]) figcaption')
    for across in (0.4, 0.45, 0.5):
        left, top = (
            round(side)
            for side in in_chart(
                page,
                "map_vae",
                f"const b = chart.getBoundingClientRect(); return [b.x + {across} * b.width, b.y + 0.4 * b.height]",
            )
        )
        page.mouse.move(left, top)
        point = point_at(page, "map_vae", left, top)
        expect(caption).to_contain_text("under the mouse: (")
        told = re.findall(r"−?[\d.]+", caption.inner_text())
        assert [float(number.replace("−", "-")) for number in told] == pytest.approx(point, rel=0.006)
        # At once: caption and picture come in one frame.
        np.testing.assert_allclose(seen(page, "pick-vae"), decode(fitted, experiment, "vae", point), atol=0.03)
    # Away from the map it is the pick's own picture again.
    x, y = (float(page.get_by_label(f"VAE pick, {axis}", exact=True).input_value()) for axis in "xy")
    page.mouse.move(5, 5)
    expect(caption).to_have_text("your pick")
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (x, y)), 0.02)


def test_lens_says_where_it_ends(page: Page, served: str) -> None:
    open_map(page, served)
    page.wait_for_function("globalThis.latentAtlases?.has('map_vae')")
    page.mouse.move(*pixel_of(page, "map_vae", *centre(page, "map_vae")))
    side = "const {xaxis} = chart._fullLayout; return xaxis.range[1] - xaxis.range[0]"
    window = in_chart(page, "map_vae", side)
    for _ in range(100):
        if in_chart(page, "map_vae", side) > 3 * window:
            break
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(50)
    x, y = centre(page, "map_vae")
    page.mouse.move(*pixel_of(page, "map_vae", x - 1.3 * window, y))
    expect(page.get_by_text("too far out to look ahead: click")).to_be_visible()
    expect(page.locator(".lens")).to_have_count(0)


def test_pan_is_no_click(page: Page, served: str) -> None:
    open_map(page, served)
    before = page.get_by_label("VAE pick, x", exact=True).input_value()
    zoom_and_pan(page, "map_vae")
    # A click afterwards is the next thing the server hears of: had the pan been one, it would have come first.
    left, top = pixel_of(page, "map_autoencoder", *centre(page, "map_autoencoder"))
    page.mouse.click(left, top)
    wait_for_input(page, "AE pick, x", point_at(page, "map_autoencoder", left, top)[0])
    assert page.get_by_label("VAE pick, x", exact=True).input_value() == before


def test_nearest_test_digit_is_ringed_on_both_maps(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(page, served)
    codes = {model: Checkpoint(checkpoint_path(fitted / experiment.name, model)).codes().code for model in MODELS}
    image = latent.nearest(codes["vae"], centre(page, "map_vae")).image
    page.mouse.click(*pixel_of(page, "map_vae", *codes["vae"][image]))
    expect(page.get_by_label("Ringed test image", exact=True)).to_have_value(str(image))
    for model in MODELS:
        ring = page.locator(f".st-key-map_{model} .map-overlay .ring").last
        wait_at(ring, *pixel_of(page, f"map_{model}", *codes[model][image]))
        expected = decode(fitted, experiment, model, tuple(codes[model][image].tolist()))
        expect_picture(page, f"ringed-{model}", expected, 0.02)


def test_pick_by_keyboard(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, served)
    for axis, value in (("x", "1.5"), ("y", "-0.3")):
        page.get_by_label(f"VAE pick, {axis}", exact=True).fill(value)
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decoded at (1.5, −0.3)")).to_be_visible()
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (1.5, -0.3)), 0.02)


def test_legend_isolates_a_digit(page: Page, served: str) -> None:
    open_map(page, served)
    faint = f"return {CLOUDS}.filter(t => t.marker.opacity < 0.5).map(t => t.name)"
    chip = page.locator(".classes button")
    expect(chip).to_have_text([str(digit) for digit in range(10)])
    others = [str(digit) for digit in range(10) if digit != 3]
    chip.nth(3).dblclick()
    for model in MODELS:
        assert in_chart(page, f"map_{model}", faint) == others
    # Greyed, not gone: the codes are still there.
    assert in_chart(page, "map_vae", f"return {CLOUDS}.filter(t => t.visible === true && t.x.length).length") == 10
    expect(chip.nth(4)).to_have_attribute("aria-pressed", "false")
    chip.nth(4).click()
    assert in_chart(page, "map_vae", faint) == [each for each in others if each != "4"]
    # A new figure from the server is greyed like the old one.
    page.get_by_role("radio", name="grid").click()
    page.wait_for_function("document.querySelector('.st-key-map_vae .js-plotly-plot')?.data.length === 1")
    page.get_by_role("radio", name="codes").click()
    chart = "const chart = document.querySelector('.st-key-map_vae .js-plotly-plot'); if (!chart?._fullData) return [];"
    script = f"{chart} {faint}"
    page.wait_for_function(f"(() => {{ {script} }})().length === 8")
    chip.nth(3).dblclick()
    chip.nth(3).dblclick()
    for model in MODELS:
        assert in_chart(page, f"map_{model}", faint) == []


def test_legend_shows_a_typical_image(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_map(page, served)
    page.locator(".classes button").nth(7).click(modifiers=["Shift"])
    pair = open_models(fitted / experiment.name)
    x, y = Map(pair.vae).points[Map(pair.vae).typical_image(7)]
    wait_for_input(page, "VAE pick, x", float(x))
    wait_for_input(page, "VAE pick, y", float(y))
    expect(page.locator(".map-answer").get_by_text("Nearest test code: a 7")).to_have_count(2)
    assert page.locator('.classes button[aria-pressed="true"]').count() == 10


def test_second_of_two_quick_clicks_is_not_taken_back(page: Page, served: str) -> None:
    open_map(page, served)
    x, y = centre(page, "map_vae")
    left, top = pixel_of(page, "map_vae", x, y)
    # Where the cross is at each change of the page, from the second click on.
    page.evaluate(
        """() => {
            window.crosses = [];
            const chart = document.querySelector('.st-key-map_vae .js-plotly-plot');
            const look = () => {
                const box = chart.querySelector('.map-overlay .pick')?.getBoundingClientRect();
                if (box) window.crosses.push(box.x + box.width / 2);
            };
            let clicks = 0;
            window.addEventListener('pointerup', () => {
                if (++clicks === 2) new MutationObserver(look).observe(chart, {childList: true, subtree: true});
            });
        }"""
    )
    page.mouse.click(left - 60, top)
    page.mouse.click(left + 60, top + 30)
    second, _ = point_at(page, "map_vae", left + 60, top + 30)
    wait_for_input(page, "VAE pick, x", round(second, 3))
    wait_until_idle(page)
    assert page.evaluate("window.crosses") == pytest.approx([left + 60] * len(page.evaluate("window.crosses")), abs=1.5)
    assert len(page.evaluate("window.crosses")) > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_dot_stands_out_from_the_page(theme: Any, page: Page, served: str) -> None:
    page.emulate_media(color_scheme=theme)
    open_map(page, served)
    page.locator(".classes button").last.wait_for()
    background = Color(str(page.locator(".stApp").evaluate("e => getComputedStyle(e).backgroundColor")))
    assert (background.luminance() > 0.5) == (theme == "light")
    for model in MODELS:
        lines = in_chart(
            page,
            f"map_{model}",
            f"return {CLOUDS}.map(t => [t.marker.line.color, t.marker.line.width, t.marker.opacity])",
        )
        assert len(lines) == 10
        for colour, width, opacity in lines:
            painted = Color.layer([Color(colour).set("alpha", opacity), background], space="srgb")
            assert painted.contrast(background) >= 2.99
            assert width == 1
