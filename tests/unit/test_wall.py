"""The wall: both stores do the same, hold their limits, and say in a sentence what is wrong."""

import resource
import shutil
import socket
import sqlite3
import subprocess
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer import tables, wall
from explorer.views.wall import is_own_computer
from explorer.wall import (
    MAX_DRAWINGS,
    MAX_NICKNAME,
    PER_MINUTE,
    WALL_VARIABLE,
    RedisWall,
    SqliteWall,
    Standing,
    Wall,
    WallDrawing,
    WallError,
    clean_nickname,
    open_wall,
)
from tests.conftest import cannot_run
from training.folders import data_dir

STORES = ("sqlite", "redis")
SENTENCE = r"^[^\n]{10,300}\.$"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis or Valkey of its own, which keeps nothing."""
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if not server:
        cannot_run("no Redis found, so the wall is not tested in it: `apt install redis-server`")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
    try:
        with closing(redis.Redis(port=port)) as client:
            for _ in range(100):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.1)  # not up yet
        yield f"redis://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Wall]:
    """Make a wall of either kind, on which nothing hangs."""
    if request.param == "sqlite":
        return lambda: SqliteWall(tmp_path / "folder" / f"{uuid4()}.sqlite3")
    address = request.getfixturevalue("redis_address")

    def empty() -> Wall:
        with closing(redis.Redis.from_url(address)) as client:
            client.flushall()
        return RedisWall(address)

    return empty


def image(number: int) -> np.ndarray:
    """A drawing that differs from others."""
    drawn = np.zeros((28, 28), np.uint8)
    drawn.ravel()[number % 784] = 1 + number % 255
    return drawn


def told(standing: Standing) -> list[tuple[Any, ...]]:
    return [(each.number, each.image.tobytes(), *each[2:]) for each in standing.drawings]


ACTS = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 783), st.sampled_from("ab"), st.text(max_size=30), st.floats(0, 40)),
    st.tuples(st.just("set_hidden"), st.lists(st.integers(1, 9), max_size=3), st.booleans()),
    st.tuples(st.just("show_names"), st.booleans()),
    st.tuples(st.just("clear")),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, max_size=14))
def test_a_wall_does_as_a_list_would(make: Callable[[], Wall], acts: list[tuple[Any, ...]]) -> None:
    """With lower limits, so that they are met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wall, "MAX_DRAWINGS", 4)
        patch.setattr(wall, "PER_MINUTE", 3)
        there, now, last, names = make(), 1e9, 0, False
        expected: list[WallDrawing] = []
        versions = {there.version()}
        assert versions == {""}
        for act, *arguments in acts:
            before = there.version()
            if act == "send":
                drawn, author, nickname, wait = arguments
                now += wait
                lately = sum(each.author == author and each.sent > now - 60 for each in expected)
                if lately >= 3 or len(expected) >= 4:
                    with pytest.raises(WallError, match="within a minute" if lately >= 3 else "is full"):
                        there.send(image(drawn), author, nickname, now)
                    assert there.version() == before
                    continue
                last += 1
                assert there.send(image(drawn), author, nickname, now) == last
                expected.append(WallDrawing(last, image(drawn), now, author, clean_nickname(nickname)))
            elif act == "set_hidden":
                there.set_hidden(*arguments)
                expected = [
                    each._replace(hidden=arguments[1]) if each.number in arguments[0] else each for each in expected
                ]
            elif act == "show_names":
                there.show_names(*arguments)
                names = arguments[0]
            else:
                there.clear()
                expected, names = [], False
            standing = there.read()
            assert standing.version not in versions
            versions.add(standing.version)
            assert told(standing) == told(Standing("", tuple(expected)))
            assert standing.shows_names == names
            assert [each.number for each in standing.shown] == [each.number for each in expected if not each.hidden]


def test_the_limits_are_those_that_are_told(make: Callable[[], Wall]) -> None:
    there = make()
    for number in range(PER_MINUTE):
        there.send(image(number), "one", now=100.0 + number)
    with pytest.raises(WallError, match=f"{PER_MINUTE} drawings within a minute") as error:
        there.send(image(0), "one", now=159.9)
    assert len(str(error.value).split(". ")) == 1
    there.send(image(0), "another", now=159.9)
    there.send(image(0), "one", now=160.1)
    for number in range(MAX_DRAWINGS - PER_MINUTE - 2):
        there.send(image(number), f"of {number}", now=200.0)
    there.set_hidden([1], True)
    with pytest.raises(WallError, match=f"full, {MAX_DRAWINGS} drawings"):
        there.send(image(0), "last", now=300.0)
    there.clear()
    assert there.send(image(0), "last", now=300.0) == MAX_DRAWINGS + 1


def test_many_at_once_hold_the_limit(make: Callable[[], Wall]) -> None:
    there = make()

    def send(number: int) -> int:
        try:
            return there.send(image(number), "one")
        except WallError as error:
            assert "within a minute" in str(error)  # noqa: PT017 - of several threads
            return 0

    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(send, range(30)))
    assert sorted(number for number in numbers if number) == list(range(1, PER_MINUTE + 1))


@pytest.mark.parametrize(
    "forged",
    [np.zeros((28, 28), np.uint8), np.ones((28, 29), np.uint8), np.ones((28, 28)), np.ones((10**4, 784), np.uint8)],
    ids=str,
)
def test_what_is_no_drawing_is_not_taken(forged: np.ndarray, make: Callable[[], Wall]) -> None:
    there = make()
    with pytest.raises(WallError, match=SENTENCE):
        there.send(forged, "one")
    assert there.version() == ""


@given(text=st.text(max_size=60) | st.text(st.characters(categories=["C", "Z", "P"]), max_size=60))
def test_a_nickname_can_be_shown_anywhere(text: str) -> None:
    nickname = clean_nickname(text)
    assert len(nickname) <= MAX_NICKNAME
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") for character in nickname)
    assert nickname == clean_nickname(nickname) == " ".join(nickname.split())
    assert not nickname.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    ("text", "nickname"),
    [
        ("  Kim \t Lee\n", "Kim Lee"),
        ("\x1b[31mred\x00", "[31mred"),
        ("\u202eevil\ud800", "evil"),
        ("a" * 10_000, "a" * MAX_NICKNAME),
        ('=HYPERLINK("x")', 'HYPERLINK("x")'),
        ("Zoe\u0308", "Zoë"),
    ],
)
def test_nicknames(text: str, nickname: str) -> None:
    assert clean_nickname(text) == nickname


def test_a_file_that_cannot_be_written_is_told_and_unharmed(tmp_path: Path) -> None:
    there = SqliteWall(tmp_path / "wall.sqlite3")
    there.send(image(1), "one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))  # as a disk that is full
    try:
        with pytest.raises(WallError, match=r"wall\.sqlite3 cannot be written .*; make room"):
            there.send(image(2), "one")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [each.number for each in there.read().drawings] == [1]
    assert there.send(image(2), "one") == 2


def test_first_drawings_may_come_at_the_same_moment(tmp_path: Path) -> None:
    there = SqliteWall(tmp_path / "wall.sqlite3")
    with closing(sqlite3.connect(there.path, isolation_level=None)) as another, ThreadPoolExecutor(1) as threads:
        another.execute("BEGIN IMMEDIATE")  # it makes the file
        sent = threads.submit(there.send, image(1), "one")
        wait([sent], timeout=0.5)
        assert not sent.done()
        another.execute("COMMIT")
        assert sent.result() == 1


def test_what_a_killed_server_was_writing_is_undone_by_a_reader(tmp_path: Path) -> None:
    there = SqliteWall(tmp_path / "wall.sqlite3")
    there.send(image(1), "one")
    with closing(sqlite3.connect(there.path, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")  # written to the file before it is committed
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT INTO drawing (image, sent, author, nickname) VALUES (?, 0.0, 'two', '')", [(bytes(784),)] * 50
        )
        for file in tmp_path.glob("wall*"):
            shutil.copy(file, tmp_path / f"killed {file.name}")
    killed = SqliteWall(tmp_path / "killed wall.sqlite3")
    assert Path(f"{killed.path}-journal").exists()
    assert [each.number for each in killed.read().drawings] == [1]


def test_what_is_no_wall_is_told(tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_bytes(b"nonsense" * 1000)
    for act in (SqliteWall.version, SqliteWall.read, SqliteWall.clear):
        with pytest.raises(WallError, match="nonsense cannot be"):
            act(SqliteWall(tmp_path / "nonsense"))
    with pytest.raises(WallError, match="cannot be written"):
        SqliteWall(tmp_path / "nonsense" / "wall.sqlite3").clear()  # in what is no folder
    later = tmp_path / "later.sqlite3"
    with closing(sqlite3.connect(later)) as database:
        database.execute("PRAGMA user_version = 99")
    for act in (SqliteWall.version, SqliteWall.read, SqliteWall.clear):
        with pytest.raises(WallError, match="has format 99, this program has 1"):
            act(SqliteWall(later))


def test_reading_makes_no_file(tmp_path: Path) -> None:
    there = SqliteWall(tmp_path / "folder" / "wall.sqlite3")
    assert (there.version(), there.read()) == ("", Standing())
    assert not there.path.parent.exists()


def test_a_redis_that_is_away_is_told_without_its_password() -> None:
    there = RedisWall(f"redis://user:secret@localhost:{free_port()}/3")
    for act in (RedisWall.version, RedisWall.read, RedisWall.clear, lambda there: there.send(image(1), "one")):
        with pytest.raises(WallError, match="does not answer") as error:
            act(there)
        assert "secret" not in str(error.value)
    assert "secret" not in there.place


def test_a_redis_that_comes_back_is_found_again(redis_address: str) -> None:
    there = RedisWall(redis_address)
    there.clear()
    with closing(redis.Redis.from_url(redis_address)) as client:
        client.client_kill_filter(skipme=True)  # as a server that was started anew
    there.send(image(1), "one")
    assert len(there.read().drawings) == 1


def test_what_others_write_to_the_redis_is_passed_over(redis_address: str) -> None:
    there = RedisWall(redis_address)
    there.clear()
    there.send(image(1), "one")
    with closing(redis.Redis.from_url(redis_address)) as client:
        for number, record in enumerate([b"nonsense", b"[]", b'{"image": "AAAA"}', b"\xff"], 1000):
            client.hset("{latent-wall}:drawings", str(number), record)
    assert [each.nickname for each in there.read().drawings] == [""]


@pytest.mark.parametrize("address", ["http://localhost", "redis://localhost:port"])
def test_an_address_that_is_none_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WALL_VARIABLE, address)
    with pytest.raises(WallError, match=SENTENCE):
        open_wall()


def test_where_the_wall_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(WALL_VARIABLE, raising=False)
    assert open_wall().place == str(data_dir() / "wall.sqlite3")
    monkeypatch.setenv(WALL_VARIABLE, str(tmp_path / "own"))
    assert open_wall().place == str(tmp_path / "own")
    monkeypatch.setenv(WALL_VARIABLE, "redis://localhost:6379/2")
    assert open_wall() is open_wall()
    assert open_wall().place == "Redis at localhost:6379/2"


def test_a_table_has_what_is_shown() -> None:
    drawings = tuple(WallDrawing(n, image(n), 60.0 * n, "one", f'"N", {n}', hidden=n == 2) for n in (1, 2, 3))
    codes = {"ae": np.array([[0.5, -1], [2, 3]], np.float32)}
    for names in (True, False):
        header, *rows = tables.wall(Standing("", drawings, names), codes).decode().splitlines()
        assert header.startswith("drawing,sent,nickname,ae_1,ae_2,pixel_0,")
        nicknames = ['"""N"", 1"', '"""N"", 3"'] if names else ["", ""]
        assert rows[0].startswith(f"1,1970-01-01T00:01:00+00:00,{nicknames[0]},0.5,-1.0,0,2,0,")
        assert rows[1].startswith(f"3,1970-01-01T00:03:00+00:00,{nicknames[1]},2.0,3.0,0,0,0,4,0,")


@pytest.mark.parametrize(
    ("ip_address", "headers", "is_own"),
    [
        (None, {"Host": "localhost:8501"}, True),
        (None, {"Host": "127.0.0.1"}, True),
        (None, {"Host": "[::1]:8501"}, True),
        ("192.168.0.7", {"Host": "localhost:8501"}, False),
        (None, {"Host": "school.example:8501"}, False),  # a proxy on this computer
        (None, {"Host": "localhost", "X-Forwarded-For": "127.0.0.1"}, False),
        (None, {}, False),
    ],
)
def test_who_is_on_the_server_s_computer(ip_address: str | None, headers: dict[str, str], is_own: bool) -> None:
    assert is_own_computer(ip_address, headers) is is_own
