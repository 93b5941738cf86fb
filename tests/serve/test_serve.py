"""Two replicas behind HAProxy: cookies, websockets, uploads, what is kept, and a replica that is killed."""

import asyncio
import gzip
import http.client
import itertools
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from benchmarks.load import Client, session
from deploy import serve as serving
from deploy.serve import SECRET, CannotServe, Served, serve
from explorer.views.wall import TEACHER_VARIABLE
from explorer.wall import WALL_VARIABLE
from tests.conftest import ROOT, cannot_run, free_port

MAX_UPLOAD = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]["maxUploadSize"]  # MB
AFTER_A_KILL = 5.0  # seconds


class Answer(NamedTuple):
    """Of HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def cookies(self) -> dict[str, str]:
        """By name: the value, and what the browser is told of it."""
        return dict(each.split("=", 1) for each in self.headers.get_all("Set-Cookie", []))


@pytest.fixture(scope="module", autouse=True)
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A wall of the tests' own, and nobody's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WALL_VARIABLE, str(tmp_path_factory.mktemp("wall") / "wall.sqlite3"))
        patch.delenv(TEACHER_VARIABLE, raising=False)
        yield


@pytest.fixture(scope="module")
def haproxy() -> None:
    if not shutil.which("haproxy"):
        cannot_run("no HAProxy found, so nothing is tested behind it: `apt install haproxy`")


@pytest.fixture(scope="module")
def served(haproxy: None) -> Iterator[Served]:
    with serve(2, free_port()) as served:
        yield served


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: Playwright's loop may be running in this one."""
    return ThreadPoolExecutor().submit(asyncio.run, work).result()


def ask(served: Served, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read())


def replica_cookies(served: Served) -> list[str]:
    """A `Cookie` for each of two replicas, as two browsers of one school get them."""
    found: set[str] = set()

    def are_two() -> bool:  # one may just have been marked as down, and is not for long
        found.add(ask(served, "/").cookies["replica"].partition(";")[0])
        return len(found) == 2

    wait_until(are_two)
    return [f"replica={each}" for each in sorted(found)]


async def session_id(client: Client) -> str:
    """Let the app run, and return the session's name."""
    await client.connection.send(_run(""))
    message = ForwardMsg()
    while message.WhichOneof("type") != "new_session":
        message.ParseFromString(await asyncio.wait_for(client.connection.recv(), 30))
    return message.new_session.initialize.session_id


def upload(served: Served, cookie: str, to_session: str, size: int) -> int:
    """Send a file as the page's uploader does; returns the status."""
    token = ask(served, "/_stcore/health", Cookie=cookie).cookies["_streamlit_xsrf"].partition(";")[0]
    parts = b"--part\r\nContent-Disposition: form-data; name=a; filename=a.png\r\n\r\n%b\r\n--part--\r\n"
    return ask(
        served,
        f"/_stcore/upload_file/{to_session}/7",
        "PUT",
        parts % os.urandom(size),
        Cookie=f"{cookie}; _streamlit_xsrf={token}",
        X_Xsrftoken=token.strip('"'),
        Content_Type="multipart/form-data; boundary=part",
    ).status


def wait_until(is_so: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_page_websocket_and_upload_of_a_browser_reach_one_replica(served: Served) -> None:
    async def check(cookie: str, other: str) -> None:
        async with session(urlsplit(served.address).netloc, Cookie=cookie) as client:
            own = await session_id(client)
            sent = await asyncio.to_thread(upload, served, cookie, own, 9_000_000)
            astray = await asyncio.to_thread(upload, served, other, own, 1000)
            assert (sent, astray) == (204, 400)

    one, other = replica_cookies(served)
    for cookie, wrong in itertools.permutations((one, other)):
        assert "replica" not in ask(served, "/", Cookie=cookie).cookies, "a browser that has a replica is given another"
        run(check(cookie, wrong))


def test_uploads_are_taken_up_to_the_limit_of_the_app(served: Served) -> None:
    cookie, _ = replica_cookies(served)

    async def send(sizes: list[int]) -> list[int]:
        async with session(urlsplit(served.address).netloc, Cookie=cookie) as client:
            own = await session_id(client)
            return [await asyncio.to_thread(upload, served, cookie, own, size) for size in sizes]

    limit = MAX_UPLOAD * 2**20
    assert run(send([limit - 1000, limit + 1])) == [204, 413]


def test_replicas_share_one_secret_and_take_each_others_tokens(served: Served) -> None:
    secrets = {psutil.Process(each.process.pid).environ()[SECRET] for each in served.replicas}
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 32
    one, other = replica_cookies(served)
    token = ask(served, "/_stcore/health", Cookie=one).cookies["_streamlit_xsrf"].partition(";")[0]
    refused, taken = (
        ask(served, "/_stcore/upload_file/nobody/7", "PUT", b"", Cookie=cookie, X_Xsrftoken=token.strip('"')).status
        for cookie in (other, f"{other}; _streamlit_xsrf={token}")
    )
    assert (refused, taken) == (403, 400)  # the token is right, the session is not


def test_a_killed_replica_is_replaced_within_seconds_and_started_again(served: Served) -> None:
    async def reopen(cookies: list[str]) -> None:
        host = urlsplit(served.address).netloc
        async with session(host, Cookie=cookies[0]) as one, session(host, Cookie=cookies[1]) as other:
            for each in (one, other):  # both have loaded torch, as in a lesson that has begun
                await each.open()
            served.replicas[0].process.kill()
            killed = time.monotonic()
            endings = {asyncio.create_task(each.connection.wait_closed()): each for each in (one, other)}
            (ended,), _ = await asyncio.wait(endings, timeout=AFTER_A_KILL, return_when=asyncio.FIRST_COMPLETED)
            left, cookie = (other, cookies[0]) if endings[ended] is one else (one, cookies[1])
            async with session(host, Cookie=cookie) as again:
                await again.open()
                assert time.monotonic() - killed < AFTER_A_KILL
                await again.click(0.5, 0.5)
            await left.click(0.5, 0.5)  # who was on the other noticed nothing

    before = [each.process.pid for each in served.replicas]
    cookies = replica_cookies(served)
    run(reopen(cookies))
    wait_until(lambda: served.replicas[0].process.pid != before[0])
    served.replicas[0].wait_until_healthy()
    wait_until(lambda: len({ask(served, "/").cookies["replica"] for _ in range(4)}) == 2)
    assert served.replicas[1].process.pid == before[1]


def test_a_replica_that_dies_before_it_answers_fails_nobody(served: Served) -> None:
    dying = served.replicas[0]
    before = dying.process.pid
    cookies = replica_cookies(served)

    def is_asked() -> bool:
        there = (each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED)
        return any(each.laddr and each.laddr.port == dying.port for each in there)

    with ThreadPoolExecutor() as threads:
        dying.process.send_signal(signal.SIGSTOP)  # it takes connections, and says nothing
        try:
            answers = [threads.submit(ask, served, "/_stcore/health", Cookie=each) for each in cookies]
            wait_until(lambda: any(each.done() for each in answers) and is_asked())
            assert not all(each.done() for each in answers)
        finally:
            dying.process.kill()
        assert [each.result().status for each in answers] == [200, 200]
    wait_until(lambda: dying.process.pid != before)
    dying.wait_until_healthy()
    wait_until(lambda: len({ask(served, "/").cookies["replica"] for _ in range(4)}) == 2)


def test_what_does_not_change_is_compressed_kept_and_tied_to_no_replica(served: Served) -> None:
    page = ask(served, "/").body.decode()
    script = re.search(r"static/js/index[^\"]*\.js", page)
    assert script
    first, second, plain = (
        ask(served, f"/{script[0]}", Accept_Encoding=accepted) for accepted in ("gzip", "gzip", "identity")
    )
    assert "Age" in second.headers, "it is asked for anew"
    assert len(first.body) < 0.5 * len(plain.body)
    assert gzip.decompress(first.body) == gzip.decompress(second.body) == plain.body
    assert not {"replica"} & {*first.cookies, *second.cookies, *plain.cookies}
    assert "immutable" in second.headers["Cache-Control"]


def test_pictures_are_kept_by_browsers_and_proxy(served: Served) -> None:
    cookie, _ = replica_cookies(served)

    async def picture() -> str:
        async with session(urlsplit(served.address).netloc, Cookie=cookie) as client:
            await client.connection.send(_run("tab=Explore"))
            while True:
                message = ForwardMsg()
                message.ParseFromString(await asyncio.wait_for(client.connection.recv(), 30))
                if found := re.search(rb"/media/[0-9a-f]+\.\w+", message.SerializeToString()):
                    return found[0].decode()

    at = run(picture())
    first, second = (ask(served, at, Cookie=cookie) for _ in range(2))
    assert first.status == 200
    assert first.body == second.body
    assert "Age" in second.headers, "it is asked for anew"
    assert first.headers["Cache-Control"] == "public, immutable, max-age=31536000"
    gone = ask(served, "/media/none.png", Cookie=cookie)
    assert gone.status == 404
    assert "immutable" not in gone.headers.get("Cache-Control", "")


def test_nobody_behind_the_proxy_is_taken_for_the_teacher(served: Served) -> None:
    async def wall_of(host: str, **headers: str) -> bytes:
        """All that the page is told when it opens the wall."""
        async with session(host, **headers) as client:
            await client.open("tab=Wall")  # the first run of a cold server waits for its map
            await client.connection.send(_run("tab=Wall"))
            told = b""
            while (message := await client.receive()).WhichOneof("type") != "script_finished":
                told += message.SerializeToString()
            return told

    directly, through = f"localhost:{served.replicas[0].port}", urlsplit(served.address).netloc
    assert b"Remove all drawings" in run(wall_of(directly)), "who sits at the computer is the teacher"
    forged = {"X-Forwarded-For": ""}
    for headers in ({}, forged):
        told = run(wall_of(through, **headers))
        assert b"The teacher can hide" in told
        assert b"Remove all drawings" not in told


def test_a_websocket_of_another_sites_page_is_refused(served: Served) -> None:
    host = urlsplit(served.address).netloc

    async def status(origin: str) -> int:
        try:
            async with session(host, Origin=origin):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    origins = (served.address, "http://elsewhere.example", f"{served.address}.example")
    assert [run(status(origin)) for origin in origins] == [101, 403, 403]


def test_below_a_path_and_by_https_the_page_may_stand_in_a_frame_and_ctrl_c_ends_all(
    haproxy: None, tmp_path: Path
) -> None:
    certificate, port = _certificate(tmp_path), free_port()
    options = ["--replicas", "1", "--port", str(port), "--base-path", "lecture/latent", "--certificate", certificate]
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.serve", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as command:
        try:
            assert command.stdout
            told = next(iter(command.stdout.readline, ""))
            assert f"https://localhost:{port}/lecture/latent" in told
            children = psutil.Process(command.pid).children()
            context = ssl.create_default_context(cafile=certificate)
            connection = http.client.HTTPSConnection("localhost", port, context=context)

            def asked(path: str) -> Answer:
                connection.request("GET", path)
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read())

            page = asked("/lecture/latent/")
            assert {"SameSite=None", "Secure"} <= set(page.cookies["replica"].split("; "))
            script = re.search(r"static/js/index[^\"]*\.js", page.body.decode())
            assert script
            for _ in range(2):
                kept = asked(f"/lecture/latent/{script[0]}")
            assert "Age" in kept.headers, "it is asked for anew"
            token = asked("/lecture/latent/_stcore/health").cookies["_streamlit_xsrf"]
            assert {"SameSite=None", "Secure"} <= set(token.split("; "))
            stream = f"wss://localhost:{port}/lecture/latent/_stcore/stream"

            async def opens() -> None:
                async with connect(
                    stream, ssl=context, max_size=None, origin=Origin(f"https://localhost:{port}")
                ) as opened:
                    await session_id(Client(opened))

            run(opens())
            assert len(children) == 2
        finally:
            command.send_signal(signal.SIGINT)
        command.wait(30)
    assert not [each for each in children if each.is_running()]


def test_what_keeps_it_from_serving_is_told(
    haproxy: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    taken = pytest.raises(CannotServe, match=rf"Port {port} cannot be used \(Address already in use\)")
    with socket.create_server(("", port)), taken:
        serve(1, port).__enter__()
    monkeypatch.setattr(serving.shutil, "which", lambda *_, **__: None)
    with pytest.raises(CannotServe, match=r"HAProxy is not installed.*apt install haproxy"):
        serve(1, port).__enter__()


def _certificate(folder: Path) -> str:
    """Of localhost, signed by itself, with its key."""
    at = folder / "localhost.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", *request, *names, "-keyout", at, "-out", folder / "c"], check=True, capture_output=True)
    at.write_text(at.read_text() + (folder / "c").read_text())
    return str(at)


def _run(query: str) -> bytes:
    message = BackMsg()
    message.rerun_script.query_string = query
    return message.SerializeToString()
