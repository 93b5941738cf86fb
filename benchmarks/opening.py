"""What an opening costs: bytes by kind, and CPU seconds of the server; directly, and through HAProxy. In Chromium.

Each opening is a browser's first, with nothing kept. One that came before has warmed the server.
"""

import base64
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.app import BOTH_LENSES, chromium
from benchmarks.parts import part
from benchmarks.server import ADDRESS, PORT, server, wait_for_server
from deploy.serve import serve

__all__ = ["main"]

OPENINGS = 10
SETTLED = 2000  # milliseconds after both lenses are there: the originals have come, too
MB = 1e6


def main() -> None:
    """Print bytes and CPU seconds an opening, directly and through the proxy."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        with part("directly"), server("streamlit_app.py") as process:
            _print_openings("directly", browser, ADDRESS, {"Python": process})
        with part("through HAProxy"), serve(1, PORT) as served:
            processes = {
                "Python": psutil.Process(served.replicas[0].process.pid),
                "HAProxy": psutil.Process(served.proxy.pid),
            }
            _print_openings("through HAProxy", browser, served.address, processes)


def _print_openings(how: str, browser: Browser, address: str, processes: dict[str, psutil.Process]) -> None:
    wait_for_server()
    _open(browser, address)
    before = {name: _cpu_seconds(process) for name, process in processes.items()}
    received: Counter[str] = Counter()
    for _ in range(OPENINGS):
        received += _open(browser, address)
    by_kind = ", ".join(f"{kind} {count / OPENINGS / MB:.2f}" for kind, count in sorted(received.items()))
    print(f"an opening {how}: {received.total() / OPENINGS / MB:.2f} MB ({by_kind})")
    for name, process in processes.items():
        seconds = (_cpu_seconds(process) - before[name]) / OPENINGS
        print(f"an opening {how}: {1000 * seconds:.0f} ms of a core, {name}")


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _open(browser: Browser, address: str) -> Counter[str]:
    """Open the app in a browser that has kept nothing; returns bytes by kind."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    with _received(page) as received:
        page.goto(f"{address}/")
        page.wait_for_function(BOTH_LENSES)
        page.wait_for_timeout(SETTLED)
    page.context.close()
    return received


@contextmanager
def _received(page: Page) -> Iterator[Counter[str]]:
    """Count the bytes that come over the network, compressed as they come; those that the proxy had kept apart."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    kinds: dict[str, str] = {}
    received: Counter[str] = Counter()

    def note_response(event: dict[str, Any]) -> None:
        response = event["response"]
        kind = "pictures" if "/media/" in response["url"] else "code and page"
        is_kept = "age" in {name.lower() for name in response["headers"]}
        kinds[event["requestId"]] = f"{kind} kept by the proxy" if is_kept else kind

    def note_end(event: dict[str, Any]) -> None:
        if kind := kinds.get(event["requestId"]):
            received[kind] += int(event["encodedDataLength"])

    def note_message(event: dict[str, Any]) -> None:
        received["messages"] += len(base64.b64decode(event["response"]["payloadData"]))

    devtools.on("Network.responseReceived", note_response)
    devtools.on("Network.loadingFinished", note_end)
    devtools.on("Network.webSocketFrameReceived", note_message)
    yield received
