"""What a person does, in a real Chromium, judged by what is on the screen."""

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from explorer import latent
from explorer.figures import DIGIT_COLOURS
from explorer.state import FRAMES
from training.checkpoint import Checkpoint, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment

pytestmark = pytest.mark.browser

MODELS = {"autoencoder": "ae", "vae": "vae"}
# The traces of the codes, one a digit, in a script in which `chart` is Plotly's graph div.
CLOUDS = "chart._fullData.filter(t => t.type === 'scattergl' && t.name !== 'label')"


def open_map(page: Page, address: str, chart: str = "map_vae") -> None:
    page.goto(address)
    page.locator(f".st-key-{chart} .map-overlay").wait_for(state="attached")
    wait_until_idle(page)


def in_chart(page: Page, chart: str, script: str) -> Any:
    """Evaluate a script in which `chart` is Plotly's graph div."""
    return page.evaluate(
        f"(() => {{ const chart = document.querySelector('.st-key-{chart} .js-plotly-plot'); {script} }})()"
    )


def pixel_of(page: Page, chart: str, x: float, y: float) -> tuple[float, float]:
    """Where a point of the plane stands on the screen, by Plotly's own conversion."""
    left, top = in_chart(
        page,
        chart,
        f"""const box = chart.getBoundingClientRect(), {{xaxis, yaxis}} = chart._fullLayout;
        return [box.left + xaxis._offset + xaxis.d2p({x}), box.top + yaxis._offset + yaxis.d2p({y})];""",
    )
    return left, top


def point_at(page: Page, chart: str, left: float, top: float) -> tuple[float, float]:
    """Which point of the plane stands at a pixel, by Plotly's own conversion."""
    x, y = in_chart(
        page,
        chart,
        f"""const box = chart.getBoundingClientRect(), {{xaxis, yaxis}} = chart._fullLayout;
        return [xaxis.p2d({left} - box.left - xaxis._offset), yaxis.p2d({top} - box.top - yaxis._offset)];""",
    )
    return x, y


def centre(page: Page, chart: str) -> tuple[float, float]:
    """The middle of what a map shows."""
    ranges = "const {xaxis, yaxis} = chart._fullLayout; return [xaxis.range, yaxis.range]"
    x, y = (sum(ends) / 2 for ends in in_chart(page, chart, ranges))
    return x, y


def middle(shape: Locator) -> tuple[float, float]:
    """Where a shape stands on the screen."""
    left, top = shape.evaluate(
        "e => { const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }"
    )
    return left, top


def wait_at(shape: Locator, left: float, top: float) -> None:
    """Until a shape stands at a pixel: marks follow the server's answer."""
    for _ in range(300):
        if middle(shape) == pytest.approx((left, top), abs=1.5):
            return
        shape.page.wait_for_timeout(100)
    assert middle(shape) == pytest.approx((left, top), abs=1.5)


def seen(page: Page, name: str) -> np.ndarray:
    """The 28 x 28 picture as it stands on the screen, pixels in [0, 1]."""
    image = page.locator(f'img[data-name="{name}"]')
    picture = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("L")) / 255
    rows, columns = ((np.arange(28) + 0.5) * side / 28 for side in picture.shape)
    return picture[np.ix_(rows.astype(int), columns.astype(int))]


def decode(fitted: Path, recipe: Experiment, model: str, point: tuple[float, float]) -> np.ndarray:
    network = Checkpoint(checkpoint_path(fitted / recipe.name, model)).load_model()
    return network.decode(torch.tensor([point], dtype=torch.float32)).sigmoid()[0].numpy()


def wait_for_input(page: Page, label: str, value: float) -> None:
    """Until an input has a value, which it shows with three decimals."""
    field = page.get_by_label(label, exact=True)
    for _ in range(300):
        if float(field.input_value()) == pytest.approx(value, abs=0.0011):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{label} is {field.input_value()}, expected {value}")


def wait_until_idle(page: Page) -> None:
    page.wait_for_function("document.querySelector('.stApp').dataset.testScriptState === 'notRunning'")


def zoom_and_pan(page: Page, chart: str) -> None:
    """With the mouse, each until Plotly says that it has settled."""
    left, top = pixel_of(page, chart, *centre(page, chart))
    before = in_chart(page, chart, "return chart._fullLayout.xaxis.range")
    settled = "chart.settled = new Promise((resolve) => chart.once('plotly_relayout', resolve)); return 0"
    in_chart(page, chart, settled)
    page.mouse.move(left, top)
    page.mouse.wheel(0, -300)
    in_chart(page, chart, "return chart.settled.then(() => 0)")
    in_chart(page, chart, settled)
    page.mouse.down()
    page.mouse.move(left + 60, top - 35, steps=5)
    page.mouse.up()
    in_chart(page, chart, "return chart.settled.then(() => 0)")
    after = in_chart(page, chart, "return chart._fullLayout.xaxis.range")
    assert after[1] - after[0] < before[1] - before[0]


def test_first_map_shows_the_codes(page: Page, served: str, fitted: Path, recipe: Experiment) -> None:
    open_map(page, served)
    for model in MODELS:
        script = f"return {CLOUDS}.map(t => [...t.x].map((x, i) => [x, t.y[i]]))"
        drawn = np.concatenate(in_chart(page, f"map_{model}", script))
        codes = Checkpoint(checkpoint_path(fitted / recipe.name, model)).codes()
        by_digit = np.concatenate([codes.code[codes.digit == digit] for digit in range(10)])
        np.testing.assert_allclose(drawn, by_digit, atol=1e-5)
    # And they are painted, each digit in its colour (the dots let a quarter of the white page through).
    shot = page.locator(".st-key-map_vae .js-plotly-plot").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)[:, :-90]  # without the legend
    for colour in DIGIT_COLOURS:
        painted = np.array([0.75 * int(colour[i : i + 2], 16) + 0.25 * 255 for i in (1, 3, 5)])
        assert (np.abs(pixels - painted).max(axis=2) < 12).sum() > 20, colour


@pytest.mark.parametrize("face", ["codes", "grid"])
@pytest.mark.parametrize("model", MODELS)
def test_click_decodes_exactly_that_point_after_zoom_and_pan(
    model: str, face: str, page: Page, served: str, fitted: Path, recipe: Experiment
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
    np.testing.assert_allclose(seen(page, f"pick-{model}"), decode(fitted, recipe, model, expected), atol=0.02)

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
    face: str, page: Page, served: str, fitted: Path, recipe: Experiment
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
        np.testing.assert_allclose(seen(page, "pick-vae"), decode(fitted, recipe, "vae", point), atol=0.03)
    # Away from the map it is the pick's own picture again.
    x, y = (float(page.get_by_label(f"VAE pick, {axis}", exact=True).input_value()) for axis in "xy")
    page.mouse.move(5, 5)
    expect(caption).to_have_text("the point you picked")
    np.testing.assert_allclose(seen(page, "pick-vae"), decode(fitted, recipe, "vae", (x, y)), atol=0.02)


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


def test_nearest_test_digit_is_ringed_on_both_maps(page: Page, served: str, fitted: Path, recipe: Experiment) -> None:
    open_map(page, served)
    codes = {model: Checkpoint(checkpoint_path(fitted / recipe.name, model)).codes().code for model in MODELS}
    image = latent.nearest(codes["vae"], centre(page, "map_vae")).image
    page.mouse.click(*pixel_of(page, "map_vae", *codes["vae"][image]))
    expect(page.get_by_label("Ringed test image", exact=True)).to_have_value(str(image))
    for model in MODELS:
        ring = page.locator(f".st-key-map_{model} .map-overlay .ring").last
        wait_at(ring, *pixel_of(page, f"map_{model}", *codes[model][image]))
        expected = decode(fitted, recipe, model, tuple(codes[model][image].tolist()))
        np.testing.assert_allclose(seen(page, f"ringed-{model}"), expected, atol=0.02)


def test_pick_by_keyboard(page: Page, served: str, fitted: Path, recipe: Experiment) -> None:
    open_map(page, served)
    for axis, value in (("x", "1.5"), ("y", "-0.3")):
        page.get_by_label(f"VAE pick, {axis}", exact=True).fill(value)
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decode of (1.5, −0.3)")).to_be_visible()
    np.testing.assert_allclose(seen(page, "pick-vae"), decode(fitted, recipe, "vae", (1.5, -0.3)), atol=0.02)


def test_legend_isolates_a_digit(page: Page, served: str) -> None:
    open_map(page, served)
    visible = f"return {CLOUDS}.filter(t => t.visible === true).map(t => t.name)"
    assert in_chart(page, "map_vae", visible) == [str(digit) for digit in range(10)]
    page.locator(".st-key-map_vae .legendtoggle").nth(3).dblclick()
    page.wait_for_function(
        "document.querySelector('.st-key-map_vae .js-plotly-plot')._fullData"
        ".filter(t => t.type === 'scattergl' && t.name !== 'label' && t.visible === true).length === 1"
    )
    assert in_chart(page, "map_vae", visible) == ["3"]


def test_interpolation_shows_the_frame_and_the_way(page: Page, served: str, fitted: Path, recipe: Experiment) -> None:
    open_map(page, f"{served}/?tab=Interpolate&from_image=4&to_image=9", "map_small_vae")
    slider = page.get_by_role("slider", name="Frame")
    slider.press("Home")
    for _ in range(5):
        slider.press("ArrowRight")
    expect(page.locator('img[data-name="frame-vae"]')).to_have_attribute("alt", "VAE: frame 5")
    for model in MODELS:
        start, end = Checkpoint(checkpoint_path(fitted / recipe.name, model)).codes().code[[4, 9]].astype(float)
        at = start + (end - start) * 5 / (FRAMES - 1)
        np.testing.assert_allclose(seen(page, f"frame-{model}"), decode(fitted, recipe, model, tuple(at)), atol=0.02)
        dot = page.locator(f".st-key-map_small_{model} .map-overlay .at").last
        wait_at(dot, *pixel_of(page, f"map_small_{model}", *at))


def test_curves_play_through_training(page: Page, served: str, fitted: Path, recipe: Experiment) -> None:
    snapshots = Checkpoint(checkpoint_path(fitted / recipe.name, "vae")).snapshots()
    first = snapshots.update[-3]
    open_map(page, f"{served}/?tab=Training+curves&moment={first}", "curves")
    codes = f"return {CLOUDS}.flatMap(t => [...t.x]).length"
    assert in_chart(page, "map_formed_vae", codes) == len(snapshots.digit)
    before, _ = middle(page.locator(".st-key-curves .map-overlay .moment").last)
    page.get_by_role("button", name="Play").click()
    # It plays to the last moment, and stops there by itself.
    expect(page.get_by_role("slider", name="Weight updates")).to_have_attribute(
        "aria-valuetext", str(snapshots.update[-1])
    )
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.wait_for_function(
        "before => [...document.querySelectorAll('.st-key-curves .map-overlay .moment')].at(-1)"
        ".getBoundingClientRect().x > before + 5",
        arg=before,
    )
    # The last snapshot is what the map shows.
    drawn = in_chart(
        page,
        "map_formed_vae",
        f"return {CLOUDS}.map(t => [...t.x])",
    )
    last = snapshots.code[-1, :, 0].astype(float)
    np.testing.assert_allclose(
        np.concatenate(drawn), np.concatenate([last[snapshots.digit == d] for d in range(10)]), atol=1e-4
    )


def test_shared_link_opens_the_same_view(page: Page, browser: Browser, served: str) -> None:
    open_map(page, f"{served}/?face=grid")
    page.mouse.click(*pixel_of(page, "map_vae", *centre(page, "map_vae")))
    page.wait_for_url(lambda url: "vae_x" in url and "vae_y" in url and "digit" in url)
    wait_for_input(page, "VAE pick, x", float(parse_qs(urlparse(page.url).query)["vae_x"][0]))
    link, picture = page.url, seen(page, "pick-vae")
    ring = page.locator(".st-key-map_autoencoder .map-overlay .ring").last
    ringed_at = point_at(page, "map_autoencoder", *middle(ring))
    other = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
    open_map(other, link)
    np.testing.assert_allclose(seen(other, "pick-vae"), picture, atol=0.02)
    for label in ("VAE pick, x", "VAE pick, y", "Ringed test image"):
        value = page.get_by_label(label, exact=True).input_value()
        expect(other.get_by_label(label, exact=True)).to_have_value(value)
    assert in_chart(other, "map_vae", "return chart.layout.images.length") == 1
    ring = other.locator(".st-key-map_autoencoder .map-overlay .ring").last
    assert point_at(other, "map_autoencoder", *middle(ring)) == pytest.approx(ringed_at, abs=0.05)
    other.context.close()


def test_without_the_data_set_all_but_the_original_is_there(
    page: Page, served: str, fitted: Path, recipe: Experiment
) -> None:
    open_map(page, f"{served}/?experiment=no-images&vae_x=0.25&vae_y=0.5")
    np.testing.assert_allclose(seen(page, "pick-vae"), decode(fitted, recipe, "vae", (0.25, 0.5)), atol=0.02)
    expect(page.get_by_text("The original image is not on this computer.")).to_be_visible()
    expect(page.locator('img[data-name="original"]')).to_have_count(0)
    expect(page.locator('img[data-name="ringed-vae"]')).to_be_visible()


def test_another_experiment_begins_with_its_own_picks(page: Page, served: str) -> None:
    open_map(page, f"{served}/?vae_x=0.25&digit=5")
    page.get_by_role("combobox", name="Experiment").click()
    page.get_by_role("option", name="no-images").click()
    expect(page.get_by_label("Ringed test image", exact=True)).to_have_value("0")
    expect(page.get_by_label("VAE pick, x", exact=True)).not_to_have_value("0.250")
    page.wait_for_url(lambda url: "vae_x" not in url and "experiment=no-images" in url)


def test_broken_checkpoint_is_told_and_the_others_still_work(page: Page, served: str) -> None:
    page.goto(f"{served}/?experiment=broken")
    expect(page.get_by_role("alert")).to_contain_text("autoencoder.safetensors is no safetensors file, or is cut short")
    page.get_by_role("combobox", name="Experiment").click()
    page.get_by_role("option", name="digits-2d").click()
    expect(page.get_by_role("heading", name="Decode of")).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_maps_are_square_of_equal_size_and_inside_the_page(theme: Any, width: int, page: Page, served: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    open_map(page, served)
    axes = "const {xaxis, yaxis} = chart._fullLayout; return [xaxis._length, yaxis._length, xaxis._m, -yaxis._m]"
    sizes = [in_chart(page, f"map_{model}", axes) for model in MODELS]
    for across, up, x_scale, y_scale in sizes:
        assert across == pytest.approx(up, abs=1)
        assert x_scale == pytest.approx(y_scale, rel=0.01)
    assert sizes[0][0] == pytest.approx(sizes[1][0], abs=1)
    main = page.locator(".stMain").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert main[0] == main[1]


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


def test_traverse_moves_the_pick_and_marks_the_frame(page: Page, served: str, fitted: Path, recipe: Experiment) -> None:
    page.goto(f"{served}/?tab=Traverse&vae_x=0.5&vae_y=-0.25")
    slider = page.get_by_role("slider", name="Dimension 1")
    expect(page.locator("img[data-name=moved-vae]")).to_be_visible()
    wait_until_idle(page)
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(slider).to_have_value("1")
    expect(page.locator("img[data-name=moved-vae]")).to_have_attribute("alt", "VAE: the pick, dimension 1 by 1 sd")
    wait_until_idle(page)
    np.testing.assert_allclose(seen(page, "moved-vae"), decode(fitted, recipe, "vae", (1.5, -0.25)), atol=0.01)


def test_generate_again_shows_other_codes_and_where_they_fell(
    page: Page, served: str, fitted: Path, recipe: Experiment
) -> None:
    page.goto(f"{served}/?tab=Generate")
    picture = page.locator('img[data-name="vae-prior-1"]')
    expect(picture).to_be_visible()
    wait_until_idle(page)
    before = picture.get_attribute("src")
    page.get_by_role("button", name="Again").click()
    expect(picture).not_to_have_attribute("src", str(before))
    expect(page.get_by_label("Seed")).to_have_value("1")
    wait_until_idle(page)
    x, y = np.random.default_rng(1).standard_normal((10, 2))[0].tolist()
    np.testing.assert_allclose(seen(page, "vae-prior-1"), decode(fitted, recipe, "vae", (x, y)), atol=0.01)
    chart = "map_generated_vae_prior"
    wait_at(page.locator(f".st-key-{chart} .dot").first, *pixel_of(page, chart, x, y))


def test_reconstruct_shows_other_images(page: Page, served: str, digits: Data) -> None:
    page.goto(f"{served}/?tab=Reconstruct")
    originals = page.locator('img[data-name^="original-"]')
    expect(originals).to_have_count(10)
    wait_until_idle(page)
    name = str(originals.first.get_attribute("data-name"))
    image = digits.test.images[int(name.split("-")[1])].numpy() / 255
    np.testing.assert_allclose(seen(page, name), image, atol=0.01)
    page.get_by_role("button", name="Others").click()
    expect(originals.first).not_to_have_attribute("data-name", name)


def test_compare_opens_the_view_that_shows_a_number(page: Page, served: str) -> None:
    page.goto(f"{served}/?tab=Compare")
    expect(page.get_by_text("How evenly the digits share the plane")).to_be_visible()
    wait_until_idle(page)
    row = page.locator(".st-key-show_plane_entropy button")
    row.click()
    expect(page.get_by_role("tab", name="Explore")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("radio", name="grid")).to_be_checked()
