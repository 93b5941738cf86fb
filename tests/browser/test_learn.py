"""The tour in a real Chromium: from the first step to the last, judged by what is on the screen."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from explorer import latent
from explorer.models import open_models
from explorer.tour import STEPS, said
from tests.browser.conftest import (
    MODELS,
    WIRES,
    decode,
    expect_picture,
    in_chart,
    middle,
    open_link,
    open_map,
    pixel_of,
    wait_at,
    wait_until,
    wait_until_idle,
)
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser

VIEWS = {
    1: 'img[data-name^="vae-"]',
    2: 'img[data-name="pick-vae"]',
    4: ".st-key-map_vae .js-plotly-plot",
    5: 'img[data-name="pick-vae"]',
    6: ".st-key-curves .js-plotly-plot",
    7: 'img[data-name="pick-vae"]',
    8: ".st-key-map_vae .js-plotly-plot",
    9: 'img[data-name="frame-vae"]',
    10: ".stAlert",  # the study of latent sizes is not there, which is told
}


# No word of a title reaches beyond it, where a button may stand.
IS_WHOLE = """title => {
    const words = document.createRange();
    words.selectNodeContents(title);
    const right = title.closest('[data-testid="stElementContainer"]').getBoundingClientRect().right;
    return [...words.getClientRects()].every((box) => box.right <= right + 1);
}"""


def test_tour_from_the_first_step_to_the_last(page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    open_link(page, f"{served}/?tab=Learn")
    pair = open_models(fitted / experiment.name)
    nexts = []  # where the button stands
    for number, step in enumerate(STEPS, 1):
        expect(page.get_by_role("heading", name=f"{said(step.title, pair)} {number} of {len(STEPS)}")).to_be_visible()
        # What was unfolded in the step before is folded again.
        question = page.locator(".st-key-lesson details").first
        expect(question.locator("summary")).to_contain_text(said(step.question, pair))
        expect(question).not_to_have_attribute("open", "")
        expect(page.locator(".st-key-lesson .katex-html").last).to_be_visible()
        expect(page.locator(".katex-error")).to_have_count(0)
        if number == 3:
            _shows_the_gaps(page, fitted, experiment)
        else:
            expect(page.locator(VIEWS[number]).last).to_be_visible()
        nexts.append(page.get_by_role("button", name="Next").bounding_box())
        question.locator("summary").click()
        expect(question).to_have_attribute("open", "")
        wait_until_idle(page)
        main = page.locator(".stMain").evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert main[0] == main[1]
        assert page.locator(".st-key-lesson h4").evaluate(IS_WHOLE)
        if number < len(STEPS):
            page.get_by_role("button", name="Next").click()
            page.wait_for_url(re.compile(rf"step={number + 1}\b"))
    expect(page.get_by_text("Auto-Encoding Variational Bayes")).to_be_visible()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    assert nexts == [pytest.approx(nexts[0], abs=1)] * len(STEPS)  # who clicks through need not look for it


def _shows_the_gaps(page: Page, fitted: Path, experiment: Experiment) -> None:
    for model in MODELS:
        code = Checkpoint(checkpoint_path(fitted / experiment.name, model)).codes().code
        x, y, radius = latent.largest_empty_circle(code, latent.window(code))
        assert np.linalg.norm(code - (x, y), axis=1).min() > 0.99 * radius
        page.locator(f".st-key-map_{model} .map-overlay .pick").last.wait_for(state="attached")
        in_chart(page, f"map_{model}", "return 0")
        wait_at(page.locator(f".st-key-map_{model} .map-overlay .pick").last, *pixel_of(page, f"map_{model}", x, y))
        expect_picture(page, f"pick-{model}", decode(fitted, experiment, model, (x, y)), 0.02)


def test_a_step_with_a_close_up_is_there_again_after_a_reload(page: Page, shipped: str) -> None:
    """What the tab has kept comes once the page is drawn, and runs the tool alone."""
    open_map(page, f"{shipped}/?tab=Learn&step=5")

    for _ in range(2):
        page.wait_for_function("Object.keys(sessionStorage).some((name) => name.startsWith('latent-held'))")
        earlier = len(WIRES[page].begun)

        def has_begun_twice(earlier: int = earlier) -> None:
            """On a busy machine the second run may end the first."""
            assert len(WIRES[page].begun) >= earlier + 2

        page.reload()
        wait_until(page, has_begun_twice)
        page.locator(".st-key-close_up_vae .map-overlay .outline").last.wait_for(state="attached")
        wait_until_idle(page)
        expect(page.locator(".classes button")).to_have_count(10)
        assert WIRES[page].exceptions == []


def test_another_throw_moves_the_cross_and_not_the_page(page: Page, served: str) -> None:
    open_link(page, f"{served}/?tab=Learn&step=7")
    cross = page.locator(".st-key-map_vae .map-overlay .pick").last
    cross.wait_for(state="attached")
    wait_until_idle(page)
    before, places = middle(cross), _places(page)
    page.get_by_role("button", name="Throw again").click()
    page.wait_for_function(
        "([x, y]) => { const marks = [...document.querySelectorAll('.st-key-map_vae .map-overlay .pick')];"
        "const b = marks.at(-1)?.getBoundingClientRect();"
        "return b && Math.hypot(b.x + b.width / 2 - x, b.y + b.height / 2 - y) > 1; }",
        arg=list(before),
    )
    wait_until_idle(page)
    assert _places(page) == places


def _places(page: Page) -> object:
    script = "[...document.querySelectorAll('[data-testid]')].map(e => [e.dataset.testid, e.getBoundingClientRect().y])"
    return page.evaluate(script)


def test_each_step_and_each_view_that_a_row_opens_begins_at_its_top(page: Page, served: str) -> None:
    scrolled = "[...document.querySelectorAll('.stMain, .st-key-viewer')].map(each => each.scrollTop)"

    def scroll_down() -> None:
        page.evaluate(
            "document.querySelectorAll('.stMain, .st-key-viewer').forEach(each => each.scrollTo(0, each.scrollHeight))"
        )
        assert max(page.evaluate(scrolled)) > 50

    def is_at_its_top() -> None:
        assert page.evaluate(scrolled) == [0, 0]

    open_map(page, f"{served}/?tab=Learn&step=5")
    question = page.locator(".st-key-lesson details summary").first
    question.click()
    scroll_down()
    with WIRES[page].until_run_ends():
        page.get_by_role("button", name="Next").press("Enter")  # no mouse: that would scroll to the button
    expect(page.get_by_role("heading", name=f"6 of {len(STEPS)}")).to_be_visible()
    wait_until(page, is_at_its_top)
    open_link(page, f"{served}/?tab=Compare")
    page.locator(".st-key-show_jump").wait_for()
    wait_until_idle(page)
    scroll_down()
    with WIRES[page].until_run_ends():
        page.locator(".st-key-show_jump button").press("Enter")
    expect(page.locator('img[data-name="frame-vae"]')).to_be_visible()
    wait_until(page, is_at_its_top)
