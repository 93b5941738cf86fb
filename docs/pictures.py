"""The README's pictures: `python docs/pictures.py`, with Chromium (see README); takes some minutes."""

import io
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.app import BOTH_LENSES  # noqa: E402
from benchmarks.server import ADDRESS, server  # noqa: E402
from training.folders import CHECKPOINTS_VARIABLE  # noqa: E402
from training.imports import contact_sheet  # noqa: E402
from training.own_dataset import dataset_path, read_dataset  # noqa: E402

SHOTS = {"images": "?face=images&vae_x=0.4&vae_y=-0.6&ae_x=-3&ae_y=-1"}
FRAME_SECONDS = 0.1
MOVING_WIDTH = 960  # pixels
MOVING_QUALITY = 55


def main() -> None:
    """Take all pictures."""
    _draw_contact_sheet()
    with server("streamlit_app.py"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for name, query in SHOTS.items():
            _open(page, query)
            page.screenshot(path=ROOT / "docs" / f"{name}.png")
        _open(page, "")
        frames = _play(page)
        browser.close()
    first, *others = [
        Image.open(io.BytesIO(frame)).convert("RGB").resize((MOVING_WIDTH, MOVING_WIDTH * 800 // 1280))
        for frame in frames
    ]
    first.save(
        ROOT / "docs" / "explorer.webp",
        save_all=True,
        append_images=others,
        duration=round(1000 * FRAME_SECONDS),
        loop=0,
        quality=MOVING_QUALITY,
        method=4,
    )
    with TemporaryDirectory() as checkpoints:
        _draw_fit(Path(checkpoints))


def _draw_fit(checkpoints: Path) -> None:
    """Draw a fit of MNIST after four epochs, in a folder of its own, and discard it."""
    shutil.copytree(ROOT / "checkpoints" / "mnist-2d", checkpoints / "mnist-2d")
    os.environ[CHECKPOINTS_VARIABLE] = str(checkpoints)
    with server("streamlit_app.py"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        _open(page, "")
        page.get_by_role("radio", name="Train", exact=True).click()
        page.get_by_role("button", name="Start").first.click()
        page.mouse.move(0, 0)
        page.get_by_text(re.compile("VAE: epoch 4")).wait_for(timeout=600_000)
        page.screenshot(path=ROOT / "docs" / "train.png")
        page.get_by_role("button", name="Discard").first.click()
        page.get_by_role("button", name="Discard it").click()
        page.get_by_role("button", name="Start").first.wait_for(timeout=60_000)
        browser.close()
    del os.environ[CHECKPOINTS_VARIABLE]


def _draw_contact_sheet() -> None:
    """Draw the contact sheet of the clothes that come along, as `python -m training add` does."""
    clothes = read_dataset(dataset_path(ROOT / "data", "fashion-mnist"))
    (ROOT / "docs" / "contact-sheet.png").write_bytes(contact_sheet(clothes))


def _open(page: Page, query: str) -> None:
    for _ in range(100):
        try:
            page.goto(f"{ADDRESS}/{query}")
            break
        except Exception:  # the server is not up yet
            page.wait_for_timeout(200)
    page.wait_for_function(BOTH_LENSES + " && globalThis.latentOriginals?.image.complete", timeout=120_000)
    page.locator(".st-key-viewer img").first.wait_for()
    page.wait_for_timeout(1500)  # for the eye: nothing is still on its way


def _play(page: Page) -> list[bytes]:
    """Play ten seconds: the mouse over the VAE's map, the images, and the film of the fit."""
    frames: list[bytes] = []
    box = page.locator(".st-key-map_vae .nsewdrag").bounding_box()
    assert box is not None
    for step in range(45):
        across = 0.15 + 0.7 * step / 44
        page.mouse.move(box["x"] + across * box["width"], box["y"] + (0.75 - 0.5 * across) * box["height"])
        page.wait_for_timeout(30)
        frames.append(page.screenshot())
    page.get_by_role("radio", name="images", exact=True).click()
    page.locator(".st-key-map_vae canvas.map-images").wait_for()
    page.wait_for_timeout(500)
    frames += [page.screenshot()] * 15
    page.get_by_role("radio", name="codes", exact=True).click()
    page.get_by_role("radio", name="Training curves").click()
    page.get_by_role("slider", name="Training step").evaluate(
        "e => { e.value = 6; e.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_timeout(1000)
    for step in range(40):
        at = 6 + 17 * step / 39
        move = f"e => {{ e.value = {at}; e.dispatchEvent(new Event('input')); }}"
        page.get_by_role("slider", name="Training step").evaluate(move)
        page.wait_for_timeout(40)
        frames.append(page.screenshot())
    return frames


if __name__ == "__main__":
    main()
