"""The server that is measured."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["ADDRESS", "PORT", "server", "wait_for_server"]

ROOT = Path(__file__).parent.parent
PORT = 8765
ADDRESS = f"http://localhost:{PORT}"


def wait_for_server() -> None:
    """Return as soon as the server answers."""
    for _ in range(3000):
        try:
            urllib.request.urlopen(f"{ADDRESS}/_stcore/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.02)


@contextmanager
def server(script: str) -> Iterator[psutil.Process]:
    """Serve a script of this project on `PORT`; SystemExit where something answers there already."""
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / script), "--server.port", str(PORT)]
    options = ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    if script != "streamlit_app.py":  # the baseline has Streamlit's own settings, not this project's
        options += ["--server.fileWatcherType", "auto", "--runner.postScriptGC", "true"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", PORT)) == 0:
            raise SystemExit(f"Error: something already answers on port {PORT}; stop it and try again.")
    with subprocess.Popen([*command, *options], cwd=ROOT, env=environment, **silent) as process:  # type: ignore[call-overload]
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
