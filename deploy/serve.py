"""`python -m deploy.serve --replicas 4`: so many processes of the app behind HAProxy, for the whole network.

The replicas listen on this computer only, share one cookie secret, and are started again when they end.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from explorer.addresses import own_interfaces
from explorer.invitation import class_addresses

__all__ = ["CannotServe", "Replica", "Served", "environment_of", "main", "proxy_config", "serve"]

ROOT = Path(__file__).parent.parent
TEMPLATE = Path(__file__).with_name("haproxy.cfg")
SECRET = "STREAMLIT_SERVER_COOKIE_SECRET"  # as Streamlit itself reads it
HEALTHY_WITHIN = 60.0  # seconds
AGAIN_AFTER = 1.0  # seconds
END_WITHIN = 10.0  # seconds

NO_HAPROXY = (
    "HAProxy is not installed, which shares the browsers out among the replicas. On Debian and Ubuntu: apt install "
    "haproxy; on a Mac: brew install haproxy. One server needs none: make app."
)


class CannotServe(Exception):
    """What keeps the app from being served, in a sentence."""


class Replica:
    """A process of the app that is started again when it ends."""

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self.port = int(environment["STREAMLIT_SERVER_PORT"])
        self.base_path = environment["STREAMLIT_SERVER_BASE_URL_PATH"]
        self._environment = environment
        self._is_over = threading.Event()
        self.process = self._start()
        self._keeper = threading.Thread(target=self._keep, name=f"replica {number}")
        self._keeper.start()

    def wait_until_healthy(self) -> None:
        """Return as soon as it answers.

        Raises:
            CannotServe: it has ended, or has not answered in time.
        """
        address = f"http://127.0.0.1:{self.port}{self.base_path}/_stcore/health"
        first, deadline = self.process, time.monotonic() + HEALTHY_WITHIN
        while first.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(address, timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise CannotServe(f"Replica {self.number} does not answer; above stands what it said.")

    def end(self) -> None:
        """Tell it to end, for good."""
        self._is_over.set()
        self.process.terminate()

    def wait_until_ended(self) -> None:
        """Return when it has ended, after some seconds by force."""
        self._keeper.join(END_WITHIN)
        if self._keeper.is_alive():
            self.process.kill()
            self._keeper.join()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py")]
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)

    def _keep(self) -> None:
        while True:
            status = self.process.wait()
            if self._is_over.wait(AGAIN_AFTER):  # not at once: what ends at its start would keep a core busy
                return
            print(f"Replica {self.number} has ended (exit status {status}); it is started again.", file=sys.stderr)
            self.process = self._start()
            if self._is_over.is_set():  # just now, when the one before had ended
                self.process.terminate()


@dataclass
class Served:
    """What answers."""

    address: str  # on this computer
    proxy: "subprocess.Popen[bytes]"
    replicas: list[Replica]


@contextmanager
def serve(replicas: int, port: int = 8501, *, base_path: str = "", certificate: Path | None = None) -> Iterator[Served]:
    """Serve the app by several processes behind HAProxy, on all addresses of this computer; ends them all at the end.

    Args:
        replicas: how many, at least 1.
        port: where HAProxy listens.
        base_path: below which path of the address the page stands, as `lecture/latent`; empty: at its root.
        certificate: a file with a certificate and its key, for HTTPS; the page may then stand in another site's frame.

    Raises:
        CannotServe: there is no HAProxy, the port is taken, or a replica does not start.
    """
    haproxy = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not haproxy:
        raise CannotServe(NO_HAPROXY)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise CannotServe(f"Port {port} cannot be used ({error.strerror}); name another with --port.") from None
    base_path = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    secret = os.environ.get(SECRET) or secrets.token_hex()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latent-serve-")))
        started: list[Replica] = []
        stack.callback(_end_replicas, started)
        for number, own_port in enumerate(_free_ports(replicas), start=1):
            own = environment_of(own_port, secret, base_path=base_path, is_secure=certificate is not None)
            started.append(Replica(number, os.environ | own))
        for replica in started:
            replica.wait_until_healthy()
        config = folder / "haproxy.cfg"
        config.write_text(proxy_config([replica.port for replica in started]))
        told = {"PORT": str(port), "BASE_PATH": base_path, "SOCKET": str(folder / "inside.sock")}
        if certificate:
            told["CERTIFICATE"] = str(certificate.resolve())
        proxy = subprocess.Popen([haproxy, "-db", "-q", "-f", config], env=os.environ | told)
        stack.callback(_end, proxy)
        address = f"{'https' if certificate else 'http'}://localhost:{port}{base_path}"
        _wait_for_port(port, proxy)
        yield Served(address, proxy, started)


def environment_of(port: int, secret: str, *, base_path: str, is_secure: bool) -> dict[str, str]:
    """Return Streamlit's settings of a replica, as variables of its environment, where `ps` does not show them."""
    return {
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_HEADLESS": "true",
        "STREAMLIT_SERVER_BASE_URL_PATH": base_path,
        "STREAMLIT_SERVER_XSRF_COOKIE_SAME_SITE": "none" if is_secure else "lax",
        SECRET: secret,
    }


def proxy_config(ports: list[int]) -> str:
    """Return HAProxy's configuration: the template, with a line for each replica."""
    lines = (f"    server replica{number} 127.0.0.1:{port}\n" for number, port in enumerate(ports, start=1))
    return TEMPLATE.read_text() + "".join(lines)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:  # all at once, or the same would be found twice
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _wait_for_port(port: int, proxy: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + HEALTHY_WITHIN
    while proxy.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise CannotServe("HAProxy does not start; above stands what it said.")


def _end_replicas(replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.end()
    for replica in replicas:
        replica.wait_until_ended()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait()


def main(
    replicas: Annotated[int, typer.Option(min=1, max=64, help="How many processes of the app.")] = 2,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where browsers find it.")] = 8501,
    base_path: Annotated[str, typer.Option(help="A path for the address to go on with, as lecture/latent.")] = "",
    certificate: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A certificate with its key, PEM: HTTPS, and frames of others."),
    ] = None,
) -> None:
    """Serve the app to a class until Ctrl-C: so many processes behind HAProxy."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with serve(replicas, port, base_path=base_path, certificate=certificate) as served:
            print(f"{replicas} replicas answer at {served.address}; for the class, the first of these that opens:")
            for address in class_addresses(served.address, None, port, own_interfaces()) or ["none, without network"]:
                print(f"  {address}")
            print("Ctrl-C ends them.", flush=True)
            raise typer.Exit(served.proxy.wait())
    except CannotServe as error:
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


if __name__ == "__main__":
    typer.run(main)
