"""The wall: drawings that a class has sent, each seen by all. Kept in SQLite, or in Redis, which several servers share.

Both stores do the same, and raise `WallError` where they cannot. A wall's version is a word that never comes twice.
"""

import base64
import json
import os
import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from training.folders import data_dir

if TYPE_CHECKING:
    import redis

__all__ = [
    "MAX_DRAWINGS",
    "MAX_NICKNAME",
    "PER_MINUTE",
    "SIDE",
    "WALL_VARIABLE",
    "RedisWall",
    "SqliteWall",
    "Standing",
    "Wall",
    "WallDrawing",
    "WallError",
    "clean_nickname",
    "open_wall",
]

Array = NDArray[Any]

WALL_VARIABLE = "LATENT_WALL"
MAX_DRAWINGS = 500  # on a wall, hidden ones included
PER_MINUTE = 10  # drawings of one author
MAX_NICKNAME = 20  # characters
SIDE = 28  # pixels
FORMAT = 1  # of the file
TIMEOUT = 2.0  # seconds until a store that does not answer is given up


class WallError(Exception):
    """The wall cannot be had, or takes no more; the message is one sentence for the user."""


class WallDrawing(NamedTuple):
    """One drawing on the wall."""

    number: int  # in the order of arrival, from 1; never given twice
    image: Array  # uint8 (28, 28), 255 is ink
    sent: float  # seconds since 1970
    author: str  # the mark of the session that sent it
    nickname: str  # may be empty
    hidden: bool = False


@dataclass(frozen=True)
class Standing:
    """What is on the wall at a time. Two are the same if their versions are."""

    version: str = ""  # another one after each change; empty: nothing was ever sent
    drawings: tuple[WallDrawing, ...] = field(default=(), compare=False)  # by number, hidden ones included
    shows_names: bool = field(default=False, compare=False)

    @property
    def shown(self) -> tuple[WallDrawing, ...]:
        """The drawings that are not hidden."""
        return tuple(drawing for drawing in self.drawings if not drawing.hidden)

    @property
    def images(self) -> Array:
        """Those that are shown, uint8 (n, 28, 28)."""
        return np.array([drawing.image for drawing in self.shown], np.uint8).reshape(-1, SIDE, SIDE)


class Wall(Protocol):
    """A place where drawings are kept. Each method raises `WallError` if the place cannot be read or written."""

    @property
    def place(self) -> str:
        """Where it is kept, without any password."""

    def version(self) -> str:
        """Return what is another word after each change: cheap, to be asked again and again."""

    def read(self) -> Standing:
        """Return all that is on the wall."""

    def send(self, image: Array, author: str, nickname: str = "", now: float | None = None) -> int:
        """Hang a drawing on the wall, and return its number.

        Args:
            image: uint8 (28, 28), 255 is ink.
            author: the mark of the session.
            nickname: any text, see `clean_nickname`.
            now: seconds since 1970; None: the clock's.

        Raises:
            WallError: no drawing of that form; the wall is full; the author has sent too many.
        """

    def set_hidden(self, numbers: Iterable[int], hidden: bool) -> None:
        """Hide drawings from all, or bring them back; numbers that are not there are passed over."""

    def show_names(self, shows: bool) -> None:
        """Say whether nicknames are shown."""

    def clear(self) -> None:
        """Remove all drawings; the numbers go on, and nicknames are not shown: who comes next was not told of them."""


@lru_cache(maxsize=8)
def _redis_wall(address: str) -> "RedisWall":
    return RedisWall(address)


def open_wall() -> Wall:
    """Return the wall that `$LATENT_WALL` names, a file or a Redis address; else `wall.sqlite3` in the data folder.

    Raises:
        WallError: it names neither.
    """
    named = os.environ.get(WALL_VARIABLE, "")
    if named.startswith(("redis://", "rediss://", "unix://")):
        return _redis_wall(named)
    if "://" in named:
        scheme = named.partition("://")[0]
        raise WallError(f"{WALL_VARIABLE} begins with {scheme:.20}; expected is redis://HOST:PORT, or a file's path.")
    return SqliteWall(Path(named) if named else data_dir() / "wall.sqlite3")


def clean_nickname(text: str) -> str:
    """Return a nickname that can be shown: printable, on one line, at most `MAX_NICKNAME` characters.

    It begins with none of the characters that make a spreadsheet take a cell for a formula.
    """
    printable = "".join(
        " " if character.isspace() else character
        for character in text[: 100 * MAX_NICKNAME]
        if character.isspace() or not unicodedata.category(character).startswith("C")
    )
    return " ".join(unicodedata.normalize("NFC", printable).split()).lstrip("=+-@ ")[:MAX_NICKNAME].rstrip()


def _ink(image: Array) -> bytes:
    """Return the bytes of a drawing, if it is one."""
    if image.dtype != np.uint8 or image.shape != (SIDE, SIDE):
        raise WallError(f"This is {image.dtype} of shape {image.shape}; the wall takes drawings, uint8 (28, 28).")
    if not image.any():
        raise WallError("This drawing is empty; draw something, and send that.")
    return image.tobytes()


def _pixels(ink: bytes) -> Array:
    return np.frombuffer(ink, np.uint8).reshape(SIDE, SIDE)


def _too_many() -> WallError:
    return WallError(f"You have sent {PER_MINUTE} drawings within a minute; wait a moment, and send it then.")


def _full() -> WallError:
    return WallError(f"The wall is full, {MAX_DRAWINGS} drawings; ask your teacher to clear it.")


class SqliteWall:
    """A wall in a file, which is made when the first drawing is sent. Processes of one computer may share it.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def place(self) -> str:
        return str(self.path)

    def version(self) -> str:
        with self._reading() as database:
            return "" if database is None else _settings(database)[0]

    def read(self) -> Standing:
        with self._reading() as database:
            if database is None:
                return Standing()
            version, shows_names = _settings(database)
            rows = database.execute(
                "SELECT number, image, sent, author, nickname, hidden FROM drawing ORDER BY number"
            ).fetchall()
        drawings = (
            WallDrawing(number, _pixels(image), sent, author, nickname, bool(hidden))
            for number, image, sent, author, nickname, hidden in rows
        )
        return Standing(version, tuple(drawings), shows_names)

    def send(self, image: Array, author: str, nickname: str = "", now: float | None = None) -> int:
        ink, now = _ink(image), time.time() if now is None else now
        with self._writing() as database:
            (lately,) = database.execute(
                "SELECT count(*) FROM drawing WHERE author = ? AND sent > ?", (author, now - 60)
            ).fetchone()
            if lately >= PER_MINUTE:
                raise _too_many()
            (count,) = database.execute("SELECT count(*) FROM drawing").fetchone()
            if count >= MAX_DRAWINGS:
                raise _full()
            sent = database.execute(
                "INSERT INTO drawing (image, sent, author, nickname) VALUES (?, ?, ?, ?)",
                (ink, now, author, clean_nickname(nickname)),
            )
            assert sent.lastrowid is not None
            return sent.lastrowid

    def set_hidden(self, numbers: Iterable[int], hidden: bool) -> None:
        with self._writing() as database:
            database.executemany("UPDATE drawing SET hidden = ? WHERE number = ?", [(hidden, each) for each in numbers])

    def show_names(self, shows: bool) -> None:
        with self._writing() as database:
            database.execute("UPDATE wall SET shows_names = ?", (shows,))

    def clear(self) -> None:
        with self._writing() as database:
            database.execute("DELETE FROM drawing")
            database.execute("UPDATE wall SET shows_names = 0")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Open the file for one reading of it; None: there is nothing in it."""
        with self._errors("read"):
            if not self.path.exists():
                yield None
                return
            # Not "ro": what a killed writer has left half done is undone by who comes next, a reader, too.
            with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", TIMEOUT, uri=True)) as database:
                database.isolation_level = None
                database.execute("BEGIN")
                yield database if self._format(database) else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one change, which is whole or is not made."""
        with self._errors("written"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The journal stays as SQLite makes it: of several that make a file at once and turn its write-ahead log on,
            # one is told "database is locked" without any waiting.
            with closing(sqlite3.connect(self.path, TIMEOUT, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")  # what is not committed is undone when it is closed
                if not self._format(database):
                    _make_tables(database)
                yield database
                database.execute("UPDATE wall SET version = ?", (_new_version(),))
                database.execute("COMMIT")

    def _format(self, database: sqlite3.Connection) -> int:
        """Return the format of the file; 0: there is nothing in it."""
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise WallError(f"The wall {self.path} has format {found}, this program has {FORMAT}; move it away.")
        return int(found)

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise WallError(
                f"The wall {self.path} cannot be {done} ({error}); "
                f"make room, allow it, or name another in {WALL_VARIABLE}."
            ) from error


def _make_tables(database: sqlite3.Connection) -> None:
    for statement in Path(__file__).with_suffix(".sql").read_text().split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {FORMAT}")


def _settings(database: sqlite3.Connection) -> tuple[str, bool]:
    version, shows_names = database.execute("SELECT version, shows_names FROM wall").fetchone()
    return version, bool(shows_names)


def _new_version() -> str:
    return secrets.token_hex(8)


class RedisWall:
    """A wall in Redis or Valkey, under keys that begin with `{latent-wall}`.

    Args:
        address: redis://HOST:PORT/DATABASE, rediss://... or unix://...

    Raises:
        WallError: the address cannot be read.
    """

    def __init__(self, address: str) -> None:
        # Imported here: a tenth of a second, and most walls are files.
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            # Nothing is tried twice: a drawing whose answer is late may hang on the wall already.
            self._client = redis.Redis.from_url(
                address,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
                decode_responses=False,
            )
        except ValueError as error:
            raise WallError(f"{WALL_VARIABLE} is no address of Redis; expected is redis://HOST:PORT.") from error
        self._error: type[Exception] = redis.RedisError
        at = self._client.get_connection_kwargs()
        where = at.get("path") or f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
        self.place = f"Redis at {where}/{at.get('db') or 0}"
        names = ("drawings", "sent", "last", "version", "hidden", "shows_names")
        self._drawings, self._sent, self._last, self._version, self._hidden, self._shows_names = (
            f"{{latent-wall}}:{name}" for name in names
        )
        self._send = self._client.register_script(Path(__file__).with_suffix(".lua").read_text())

    def version(self) -> str:
        with self._errors():
            return _text(self._client.get(self._version))

    def read(self) -> Standing:
        with self._errors():
            snapshot = self._client.pipeline(transaction=True)
            snapshot.get(self._version)
            snapshot.hgetall(self._drawings)
            snapshot.smembers(self._hidden)
            snapshot.get(self._shows_names)
            version, records, hidden, shows_names = snapshot.execute()
        found = (_drawing(int(number), record, number in hidden) for number, record in records.items())
        drawings = sorted((each for each in found if each is not None), key=lambda drawing: drawing.number)
        return Standing(_text(version), tuple(drawings), _text(shows_names) == "1")

    def send(self, image: Array, author: str, nickname: str = "", now: float | None = None) -> int:
        now = time.time() if now is None else now
        record = {
            "image": base64.b64encode(_ink(image)).decode(),
            "sent": now,
            "author": author,
            "nickname": clean_nickname(nickname),
        }
        with self._errors():
            number = self._send(
                keys=[self._drawings, self._sent, self._last, self._version],
                args=[now, author, json.dumps(record), _new_version(), MAX_DRAWINGS, PER_MINUTE],
            )
        if number < 0:
            raise _too_many() if number == -1 else _full()
        return int(number)

    def set_hidden(self, numbers: Iterable[int], hidden: bool) -> None:
        with self._errors():
            there = {int(number) for number in self._client.hkeys(self._drawings)}
        with self._changing() as change:
            if chosen := there.intersection(numbers):
                (change.sadd if hidden else change.srem)(self._hidden, *chosen)

    def show_names(self, shows: bool) -> None:
        with self._changing() as change:
            change.set(self._shows_names, int(shows))

    def clear(self) -> None:
        with self._changing() as change:
            change.delete(self._drawings, self._sent, self._hidden, self._shows_names)

    @contextmanager
    def _changing(self) -> Iterator["redis.client.Pipeline"]:
        with self._errors(), self._client.pipeline(transaction=True) as change:
            yield change
            change.set(self._version, _new_version())
            change.execute()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise WallError(f"{self.place}, where the wall is, does not answer ({error}); start it again.") from error


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _drawing(number: int, record: bytes, hidden: bool) -> WallDrawing | None:
    """Read a record; None if it is none: others may write to a Redis, too."""
    try:
        found = json.loads(record)
        image = _pixels(base64.b64decode(found["image"]))
        sent, author, nickname = float(found["sent"]), str(found["author"]), clean_nickname(str(found["nickname"]))
    except (ValueError, KeyError, TypeError):
        return None
    return WallDrawing(number, image, sent, author, nickname, hidden)
