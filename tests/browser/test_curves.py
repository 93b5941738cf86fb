"""The film of the fit, in a real Chromium: what is painted is where the codes were."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coloraide import Color
from playwright.sync_api import Page, WebSocket, expect

from explorer.figures import CLASS_COLOURS, MODEL_COLOURS
from tests.browser.conftest import before_its_scripts, in_chart, open_map, wait_over, wait_until
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment

pytestmark = pytest.mark.browser
LEAST_PAINTED = 2.7  # asked are 3: a line one pixel wide is smoothed where it is no straight one

# The colours, with opacity, that the film paints at points of the map; null outside.
PAINTED = """
    const canvas = chart.querySelector('canvas.film-codes'), {xaxis, yaxis} = chart._fullLayout;
    const {data, width} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return points.map(([x, y]) => {
        const across = xaxis.d2p(x), down = yaxis.d2p(y);
        if (across < 0 || down < 0 || across >= xaxis._length || down >= yaxis._length) return null;
        const at = 4 * (Math.round(yaxis._offset + down) * width + Math.round(xaxis._offset + across));
        return [...data.slice(at, at + 4)];
    });
"""

# Where the line over the curves stands; it is drawn anew at each frame.
MOMENT = "[...document.querySelectorAll('.st-key-curves .map-overlay .moment')].at(-1).getBoundingClientRect().x"


def painted(page: Page, model: str, points: np.ndarray) -> list[list[int] | None]:
    found: list[list[int] | None] = in_chart(page, f"map_{model}", f"const points = {points.tolist()};" + PAINTED)
    return found


def expect_codes(page: Page, model: str, codes: np.ndarray, labels: np.ndarray) -> None:
    """At each code there is paint, and at a code far from all others that of its class; none where there is no code."""
    codes = codes.astype(float)
    colours = painted(page, model, codes)
    visible = np.array([colour is not None for colour in colours])
    assert visible.sum() > 100
    assert all(colour[3] > 100 for colour in colours if colour is not None)
    unit = float(
        in_chart(
            page, f"map_{model}", "return Math.abs(chart._fullLayout.xaxis.p2d(1) - chart._fullLayout.xaxis.p2d(0))"
        )
    )
    distances = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    medians = np.array([np.median(codes[labels == digit], axis=0) for digit in range(10)])
    from_labels = np.linalg.norm(codes[:, None] - medians[None], axis=2).min(axis=1)
    np.fill_diagonal(distances, np.inf)
    alone = np.flatnonzero(visible & (distances.min(axis=1) > 7 * unit) & (from_labels > 16 * unit))
    assert len(alone) >= 3
    for code in alone:
        expected = [int(CLASS_COLOURS[labels[code]][i : i + 2], 16) for i in (1, 3, 5)]
        colour = colours[code]
        assert colour is not None
        assert np.abs(np.array(colour[:3]) - expected).max() < 12
    left, right = in_chart(page, f"map_{model}", "return chart._fullLayout.xaxis.range")
    bottom, top = in_chart(page, f"map_{model}", "return chart._fullLayout.yaxis.range")
    anywhere = np.random.default_rng(0).uniform((left, bottom), (right, top), size=(500, 2))
    far = np.linalg.norm(anywhere[:, None] - np.concatenate([codes, medians])[None], axis=2).min(axis=1) > 16 * unit
    empty = [colour for colour in painted(page, model, anywhere[far]) if colour is not None]
    assert len(empty) > 20
    assert all(colour[3] == 0 for colour in empty)


def test_the_film_plays_in_the_browser(fresh_page: Page, served: str, fitted: Path, experiment: Experiment) -> None:
    page = fresh_page
    sent: list[str | bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))

    page.on("websocket", listen)
    models = ("autoencoder", "vae")
    snapshots = {m: Checkpoint(checkpoint_path(fitted / experiment.name, m)).snapshots() for m in models}
    first, last = snapshots["vae"].update[[-4, -1]].tolist()
    open_map(page, f"{served}/?tab=Training+curves&moment={first}")
    expect(page.get_by_role("status").filter(has_text=f"after {first:,} training steps")).to_be_visible()
    page.locator(".st-key-curves .map-overlay .moment").last.wait_for(state="attached")
    for model in models:
        expect_codes(page, model, snapshots[model].code[-4], snapshots[model].labels)
        expect(page.locator(f".st-key-map_{model} .gl-container").first).to_have_css("visibility", "hidden")
    before = page.evaluate(MOMENT)
    del sent[:]
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    # It plays to the last moment, and stops there by itself; only then the server hears of it.
    expect(page.get_by_role("status").filter(has_text=f"after {last:,} training steps")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.wait_for_url(f"**moment={last}*")
    assert len(sent) == 1
    assert page.evaluate(MOMENT) > before + 5
    for model in models:
        expect_codes(page, model, snapshots[model].code[-1], snapshots[model].labels)
    # The keyboard goes from moment to moment, and the address follows.
    page.get_by_role("slider", name="Training step").press("ArrowLeft")
    earlier = snapshots["vae"].update[-2]
    expect(page.get_by_role("status").filter(has_text=f"after {earlier:,} training steps")).to_be_visible()
    page.wait_for_url(f"**moment={earlier}*")
    # Before the fit is a moment like others: a link leads to it.
    page.get_by_role("slider", name="Training step").fill("0")
    page.wait_for_url("**moment=0*")
    page.reload()
    expect(page.get_by_role("status").filter(has_text="after 0 training steps")).to_be_visible()
    # Another tool shows the test images' codes again.
    page.get_by_role("radio", name="Explore").click()
    expect(page.locator("canvas.film-codes")).to_have_count(0)
    expect(page.locator(".st-key-map_vae .gl-container").first).to_have_css("visibility", "visible")


def test_in_seconds_each_model_has_a_line_at_its_own_time(
    page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    checkpoints = {m: Checkpoint(checkpoint_path(fitted / experiment.name, m)) for m in ("autoencoder", "vae")}
    update = int(checkpoints["vae"].snapshots().update[-3])
    open_map(page, f"{served}/?tab=Training+curves&x_axis=seconds&log=false&moment={update}")
    expect(page.get_by_role("status").filter(has_text=f"after {update:,} training steps")).to_be_visible()
    for full in (False, True):
        if full:
            page.locator(".st-key-curves").hover()
            page.locator(".st-key-curves").get_by_role("button", name="Fullscreen").click()
        for model, colour in MODEL_COLOURS.items():
            curve = checkpoints[model].history()["training"]
            seconds = float(np.interp(update, [0, *curve.update], [0, *curve.seconds]))
            line = page.locator(f'.st-key-curves .map-overlay .moment[stroke="{colour}"]').first
            line.wait_for(state="attached")
            place = f"""const {{xaxis, yaxis}} = chart._fullLayout, box = chart.getBoundingClientRect();
                return [box.left + xaxis._offset + xaxis.d2p({seconds}), box.top + yaxis._offset + yaxis._length / 2]"""
            wait_over(line, lambda place=place: tuple(in_chart(page, "curves", place)))  # type: ignore[misc]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_dot_of_the_film_stands_out_from_the_page(
    theme: Any, page: Page, served: str, fitted: Path, experiment: Experiment
) -> None:
    """Each class has somewhere in its dots what stands out: colours that do not by themselves are outlined."""
    snapshots = Checkpoint(checkpoint_path(fitted / experiment.name, "vae")).snapshots()
    page.emulate_media(color_scheme=theme)
    open_map(page, f"{served}/?tab=Training+curves&moment={snapshots.update[-1]}")
    expect(page.get_by_role("status").filter(has_text=f"after {snapshots.update[-1]:,} training steps")).to_be_visible()
    background = Color(str(page.locator(".stApp").evaluate("e => getComputedStyle(e).backgroundColor")))
    assert (background.luminance() > 0.5) == (theme == "light")
    pixels = in_chart(page, "map_vae", "return chart._fullLayout.xaxis.d2p(1) - chart._fullLayout.xaxis.d2p(0)")
    around = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), axis=-1).reshape(-1, 2) / float(pixels)

    def contrast(paint: list[int] | None) -> float:
        if paint is None:
            return 1.0
        colour = Color("srgb", [each / 255 for each in paint[:3]], paint[3] / 255)
        return Color.layer([colour, background], space="srgb").contrast(background)

    def every_class_stands_out() -> None:
        for label in range(10):
            codes = snapshots.code[-1][snapshots.labels == label].astype(float)
            label_at = np.median(codes, axis=0)
            code = codes[np.linalg.norm(codes - label_at, axis=1).argsort()[len(codes) * 3 // 4]]
            assert max(map(contrast, painted(page, "vae", code + around))) >= LEAST_PAINTED, label

    wait_until(page, every_class_stands_out)


def test_a_first_frame_from_before_the_click_is_none_before_the_fit(own_page: Page, served: str) -> None:
    """A busy browser gives a frame the time at which it should have begun."""
    page, told = own_page, []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    with before_its_scripts(page, LATE_FRAMES):
        open_map(page, f"{served}/?tab=Training+curves&moment=0")
        page.locator(".st-key-curves .map-overlay .moment").last.wait_for(state="attached")
        page.get_by_role("button", name="Play").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        expect(page.get_by_role("button", name="Play")).to_be_visible()  # it has come to its end
    assert [text for text in told if "NaN" in text] == []


LATE_FRAMES = """
    const frame = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (draw) => frame((now) => draw(now - 100));
"""
