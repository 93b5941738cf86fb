"""The belief and the truth in a real Chromium: what stands on the screen is what is computed here."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from explorer import evaluation
from explorer.models import open_models
from explorer.posterior import elbo, true_posterior
from tests.browser.conftest import expect_picture, middle, open_link, pixel_of, seen, wait_until_idle
from training.datasets import Data
from training.experiments import Experiment

pytestmark = pytest.mark.browser


def told(page: Page, name: str) -> float:
    text = page.locator(".card.posterior p b").filter(has_text=f"{name} =").inner_text()
    return float(text.split("=")[1].removesuffix("nats").replace("−", "-"))


def shown_z(page: Page) -> np.ndarray:
    text = page.locator(".card.posterior h5").filter(has_text="z = (").inner_text()
    return np.array([float(each.replace("−", "-")) for each in re.findall(r"−?\d+\.\d+", text)])


def test_a_close_up_has_other_words_in_its_link(page: Page, served: str) -> None:
    open_link(page, f"{served}/?tab=Posterior")
    page.get_by_role("radio", name="exact posterior p(z|x)").click()
    page.wait_for_url(re.compile(r"[?&]close_up=the(\+|%20)truth"))
    expect(page.locator(".st-key-map_posterior").get_by_text("exact posterior p(z|x)").first).to_be_visible()
    page.goto(page.url)
    expect(page.get_by_role("radio", name="exact posterior p(z|x)")).to_be_checked()
    wait_until_idle(page)
    page.get_by_role("radio", name="both").click()
    page.wait_for_url(lambda address: "close_up" not in address)


def test_another_image_and_another_draw(
    page: Page, served: str, fitted: Path, experiment: Experiment, digits: Data
) -> None:
    vae = open_models(fitted / experiment.name).vae
    images = evaluation.binarised(digits.test.images)
    open_link(page, f"{served}/?tab=Posterior")
    page.locator('img[data-name="resampled"]').wait_for()
    field = page.get_by_role("spinbutton", name="Ringed test image")
    field.fill("23")
    field.press("Enter")
    expect(page.locator('img[data-name="subject"][alt^="test image 23,"]')).to_be_visible()
    wait_until_idle(page)

    x = images[23].ravel()
    belief = evaluation.approximate_posteriors(vae, images[[23]])[0]
    truth = true_posterior(evaluation.decode_grid(vae), evaluation.decoder(vae), x, belief)
    bound = elbo(evaluation.decoder(vae), x, belief)
    assert told(page, "log p(x)") == pytest.approx(truth.log_evidence, abs=0.006)
    assert told(page, "ELBO") == pytest.approx(bound, abs=0.006)
    assert told(page, "Gap") == pytest.approx(truth.log_evidence - bound, abs=0.006)
    expect_picture(page, "subject", images[23], 0.02)
    # The blue is painted where the truth is, and the ellipses where the belief is.
    x_range = page.evaluate("document.querySelector('.st-key-map_posterior .js-plotly-plot')._fullLayout.xaxis.range")
    assert x_range[0] < truth.mean[0] < x_range[1]
    outline = page.locator(".st-key-map_posterior .map-overlay .outline").last
    expected = pixel_of(page, "map_posterior", *belief.mean.tolist())
    assert middle(outline) == pytest.approx(expected, abs=2)

    before, z = seen(page, "resampled"), shown_z(page)
    page.get_by_role("button", name="Resample").click()
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("1")
    wait_until_idle(page)
    assert not np.array_equal(shown_z(page), z)
    decode = seen(page, "resampled")
    assert np.abs(decode - before).max() > 0.02
    np.testing.assert_allclose(decode, vae.decode([shown_z(page)])[0], atol=0.02)
    dot = page.locator(".st-key-map_posterior .map-overlay .dot").last
    assert middle(dot) == pytest.approx(pixel_of(page, "map_posterior", *shown_z(page).tolist()), abs=2)
