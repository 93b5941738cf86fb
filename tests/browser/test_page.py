"""What all tabs share: links, sizes, experiments that cannot be opened."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    MODELS,
    PICK,
    decode,
    expect_picture,
    in_chart,
    middle,
    open_map,
    part,
    pick_on_map,
    point_at,
    seen,
)
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def test_shared_link_opens_the_same_view(page: Page, served: str) -> None:
    open_map(page, f"{served}/?face=grid")
    numbers = pick_on_map(page, part(page, "map_vae", 0.5, 0.5))
    link, picture = page.url, seen(page, "pick-vae")
    ring = page.locator(".st-key-map_autoencoder .map-overlay .ring").last
    ringed_at = point_at(page, "map_autoencoder", *middle(ring))
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.set_viewport_size({"width": 1920, "height": 1080})
    open_map(page, link)
    expect_picture(page, "pick-vae", picture, 0.02)
    for label, value in zip(PICK, numbers, strict=True):
        expect(page.get_by_label(label, exact=True)).to_have_value(value)
    assert in_chart(page, "map_vae", "return chart.layout.images.length") == 1
    assert point_at(page, "map_autoencoder", *middle(ring)) == pytest.approx(ringed_at, abs=0.05)


def test_without_the_data_set_all_but_the_original_is_there(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    open_map(page, f"{served}/?experiment=no-images&vae_x=0.25&vae_y=0.5")
    expect_picture(page, "pick-vae", decode(fitted, experiment, "vae", (0.25, 0.5)), 0.02)
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
    expect(page.get_by_role("heading", name="Decoded at")).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 1920])
def test_maps_are_square_of_equal_size_and_inside_the_page(width: int, page: Page, served: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_map(page, served)
    axes = "const {xaxis, yaxis} = chart._fullLayout; return [xaxis._length, yaxis._length, xaxis._m, -yaxis._m]"
    sizes = [in_chart(page, f"map_{model}", axes) for model in MODELS]
    for across, up, x_scale, y_scale in sizes:
        assert across == pytest.approx(up, abs=1)
        assert x_scale == pytest.approx(y_scale, rel=0.01)
    assert sizes[0][0] == pytest.approx(sizes[1][0], abs=1)
    main = page.locator(".stMain").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert main[0] == main[1]
