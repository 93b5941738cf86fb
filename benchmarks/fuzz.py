"""Inputs that nobody means: spoiled checkpoints, odd addresses, forged messages. The page may refuse; it may not fail.

Each case has a number, from which it can be made again: `python -m benchmarks fuzz --from NUMBER`. A checkpoint or an
address is opened in this process, through Streamlit's `AppTest`; messages go to a server, over its websocket.
"""

import asyncio
import json
import math
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.testing.v1 import AppTest
from websockets.asyncio.client import ClientConnection

from benchmarks.load import answers, session
from benchmarks.server import PORT, server
from explorer import atlas
from explorer.handover import pack
from explorer.selection import Drawing
from training.folders import CHECKPOINTS_VARIABLE, checkpoints_dir

__all__ = [
    "TOOLS",
    "Failure",
    "address",
    "checkpoint",
    "coarse_atlases",
    "components_after_run",
    "main",
    "messages",
]

ROOT = Path(__file__).parent.parent
SMALL, DEEP = "digits-2d", "mnist-14px-8d"  # what is spoiled: little data, and more than two dimensions
TOOLS = (
    *("Explore", "Interpolate", "Draw", "Wall", "Traverse", "Generate", "Reconstruct", "Posterior", "Training curves"),
    *("Train", "Beta", "Compare", "Learn"),
)
AT_MOST = 60.0  # seconds for a page
TOOL_LASTS = 10  # messages

NUMBERS = (0.0, 1.0, -1.0, 1e-30, 4.0, -20.0, -210.0, -1500.0, 65504.0, -65504.0, 1e19, 3e38, math.nan, math.inf)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 28.0, 1e308, 10**30, math.nan, [], {}, [1, 2], [[0, 0], [1]], {"x": 1}),
    *(
        "",
        "two",
        "\ud800",
        "a" * 10_000,
        "<img src=x>",
        "[x](http://x)",
        "../..",
        "nan",
        "1.2.3",
        "~",
        "1e999",
        "0~0~1",
    ),
)
EVENTS = ("pick", "path", "typical", "moment", "drawn", "held")
FORMS: tuple[Any, ...] = (  # what components report
    {"x": 0.5, "y": -0.5, "number": 1},
    {"points": [[0.0, 0.0], [1.0, 1.0]]},
    {"number": 1, "version": 0, "based": False, "strokes": [[10, 10, 200, 200]]},
    {
        "drawing": pack(Drawing(strokes=[[10, 10, 200, 200]], found=[np.eye(28, dtype=np.uint8)])),
        "sample": 3,
        "choices": {"samples": "20", "seed": "7"},
    },
    3,
    True,
)


class Failure(NamedTuple):
    """A case in which the page failed."""

    case: str  # its kind, its number, and what was done
    error: str


def checkpoint(number: int) -> Failure | None:
    """Spoil a copy of an experiment, and open a tool on it, and then on its neighbour."""
    rng = random.Random(f"checkpoint {number}")
    name = rng.choice([SMALL, SMALL, SMALL, DEEP])
    with tempfile.TemporaryDirectory() as folder:
        for each in {name, SMALL}:
            shutil.copytree(checkpoints_dir() / each, Path(folder) / ("neighbour" if each != name else each))
        if name == SMALL:
            shutil.copytree(checkpoints_dir() / SMALL, Path(folder) / "neighbour")
        for path in checkpoints_dir().glob("*.classifier.safetensors"):
            shutil.copy(path, folder)
        done = _spoil(rng, Path(folder), name)
        tool = rng.choice(TOOLS)
        case = f"checkpoint {number}: {done}; {tool} of {name}"
        with patch.dict(os.environ, {CHECKPOINTS_VARIABLE: folder}):
            return _open(case, {"experiment": name, "tab": tool}) or _open(
                f"{case}, its neighbour", {"experiment": "neighbour"}
            )


def address(number: int) -> Failure | None:
    """Open an address with some of the names that the app knows, and odd values."""
    rng = random.Random(f"address {number}")
    tool = rng.choice(TOOLS)
    parameters = {"experiment": rng.choice([SMALL, SMALL, DEEP]), "tab": tool}
    for name in rng.sample(_names(), rng.randint(1, 6)):
        parameters[name] = _odd_text(rng)
    return _open(f"address {number}: {parameters}", parameters)


async def messages(host: str, number: int) -> Failure | None:
    """Send a session forged reports of its components, one after the other."""
    rng = random.Random(f"messages {number}")
    tools = rng.sample(["Explore", "Draw", "Training curves", "Interpolate", "Posterior"], 2)
    sent: list[str] = []
    components: dict[str, str] = {}
    try:
        async with session(host) as client:
            for tool in tools:  # what the first one leaves behind goes on reporting
                rerun = BackMsg()
                rerun.rerun_script.query_string = f"experiment={SMALL}&tab={tool.replace(' ', '%20')}"
                rerun.rerun_script.is_history_navigation = tool != tools[0]
                await client.connection.send(rerun.SerializeToString())
                components |= await components_after_run(client.connection)
                for _ in range(TOOL_LASTS):
                    event, value = rng.choice(EVENTS), _forged(rng)
                    component, fragment = rng.choice(sorted(components.items()))
                    sent.append(f"{component.rsplit('-', 1)[-1]}.{event} = {value!r:.200}")
                    await client.trigger(component, event, value, rng.choice(["", fragment]))
                    components |= await components_after_run(client.connection)
    except Exception as error:  # whatever it is, the page has failed
        return Failure(
            f"messages {number} to {', then '.join(tools)}: {'; '.join(sent[-3:])}", f"{type(error).__name__}: {error}"
        )
    return None


def _open(case: str, parameters: dict[str, str]) -> Failure | None:
    """Open a page; what it shows as an exception, or what the run itself raises, is a failure."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=AT_MOST)
    app.query_params.update(parameters)
    try:
        app.run()
    except RuntimeError as error:  # too slow
        return Failure(case, str(error))
    return Failure(case, f"{app.exception[0].message}\n{app.exception[0].stack_trace}") if app.exception else None


def _names() -> list[str]:
    """Return the names of the choices that stand in an address, as the source has them."""
    found = set(re.findall(r'Choice\("(\w+)"', "\n".join(path.read_text() for path in ROOT.glob("explorer/**/*.py"))))
    return sorted({*found, "move_1", "move_2", "zoom_vae", "zoom_autoencoder"} - {"tab"})


def _odd_text(rng: random.Random) -> str:
    value = rng.choice([*ODD, *NUMBERS, rng.randint(-5, 400), rng.gauss(0, 2), rng.gauss(0, 2)])
    return value.replace("\ud800", "�") if isinstance(value, str) else str(value)


def _forged(rng: random.Random) -> Any:
    """Return what a component might report, one part of it exchanged, or anything."""
    value = json.loads(json.dumps(rng.choice(FORMS)))
    if rng.random() < 0.1:
        return value
    return _exchange(rng, value, [*ODD, *NUMBERS])


def _exchange(rng: random.Random, value: Any, others: list[Any]) -> Any:
    """Exchange a part of nested JSON, or leave it out; the whole, where it has no parts."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {each: part for each, part in value.items() if each != name}
        return value | {name: _exchange(rng, value[name], others)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], _exchange(rng, value[at], others), *value[at + 1 :]]
    return rng.choice(others)


async def components_after_run(connection: ClientConnection) -> dict[str, str]:
    """Wait for the end of a run; return the components that it mounted, and their fragments.

    Raises:
        RuntimeError: the page showed an exception.
    """
    found: dict[str, str] = {}
    while True:
        message = ForwardMsg()
        message.ParseFromString(await asyncio.wait_for(connection.recv(), AT_MOST))
        kind = message.WhichOneof("type")
        if kind == "script_finished":
            return found
        if kind != "delta":
            continue
        element = message.delta.new_element
        if element.WhichOneof("type") == "exception":
            raise RuntimeError(element.exception.message)
        if element.WhichOneof("type") == "bidi_component":
            found[element.bidi_component.id] = message.delta.fragment_id


def _spoil(rng: random.Random, folder: Path, name: str) -> str:
    """Spoil something in a folder of checkpoints; return what."""
    models = [folder / name / f"{model}.safetensors" for model in ("autoencoder", "vae")]
    target = rng.choice([models, models, models[:1], models[1:], models[1:]])
    kind = rng.choice(["arrays", "arrays", "arrays", "settings", "settings", "file", "stray", "beside"])
    if kind == "file":
        return _spoil_file(rng, rng.choice(target))
    if kind == "stray":
        beta = rng.choice(["1.2.3", "nan", "inf", "1e999", "-1", "0.50", "2", "", "two", "1e-400"])
        shutil.copy(models[1], stray := folder / name / f"vae-beta-{beta}.safetensors")
        return f"{stray.name} stands beside"
    if kind == "beside":
        others = [*(folder / name).glob("[am]*s.safetensors"), *folder.glob("*.safetensors")]
        return _spoil_arrays_or_settings(
            rng, [rng.choice([*others, *(folder / name).glob("atlas-*")])], rng.random() < 0.5
        )
    return _spoil_arrays_or_settings(rng, target, kind == "settings")


def _spoil_arrays_or_settings(rng: random.Random, paths: list[Path], settings: bool) -> str:
    """Do the same to each of some files."""
    state, done = rng.getstate(), ""
    for path in paths:
        rng.setstate(state)
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            told = json.loads(file.metadata()["settings"])
        if settings or not arrays:
            told = _exchange(rng, told, [*ODD, *NUMBERS])
        else:
            done = _spoil_arrays(rng, arrays)
        try:
            save_file(
                {each: np.ascontiguousarray(array) for each, array in arrays.items()},
                path,
                metadata={"settings": json.dumps(told)},
            )
        except (OverflowError, ValueError):  # the format takes no such array
            return "nothing"
    return f"{'settings' if settings else done} of {', '.join(path.name for path in paths)}"


def _spoil_arrays(rng: random.Random, arrays: dict[str, NDArray[Any]]) -> str:
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    ways: dict[str, Callable[[], Any]] = {
        "an element": lambda: array.reshape(-1).__setitem__(rng.randrange(array.size), _as(array, rng.choice(NUMBERS))),
        "all elements": lambda: array.fill(_as(array, rng.choice(NUMBERS))),
        "larger": lambda: arrays.update({name: (array * _as(array, rng.choice(NUMBERS))).astype(array.dtype)}),
        "fewer rows": lambda: _resize(arrays, array, rng.choice([0, 1, 2, 3, 10])),
        "more rows": lambda: _resize(arrays, array, 20_000) if name.startswith("codes") else None,
        "another type": lambda: arrays.update({name: array.astype(rng.choice(["f8", "f4", "f2", "i8", "u1"]))}),
        "left out": lambda: arrays.pop(name),
        "flat": lambda: arrays.update({name: array.reshape(-1)}),
        "renamed": lambda: arrays.update({rng.choice(["x", "../x", "weights."]): arrays.pop(name)}),
    }
    way = rng.choice(sorted(ways))
    array.flags.writeable or arrays.update({name: array.copy()})
    with np.errstate(all="ignore"):
        ways[way]()
    return f"{name} {way}"


def _as(array: NDArray[Any], value: float) -> Any:
    """Return a value as an element of an array, cut to what its type holds."""
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        return array.dtype.type(int(np.clip(np.nan_to_num(value), float(limits.min), float(limits.max) / 2)))
    with np.errstate(all="ignore"):
        return array.dtype.type(value)


def _resize(arrays: dict[str, NDArray[Any]], like: NDArray[Any], rows: int) -> None:
    """Give all arrays with as many rows as one other many rows."""
    for name, array in list(arrays.items()):
        if array.ndim and like.ndim and len(array) == len(like) and len(array):
            arrays[name] = np.resize(array, (rows, *array.shape[1:]))


def _spoil_file(rng: random.Random, path: Path) -> str:
    content = bytearray(path.read_bytes())
    way = rng.choice(["cut short", "bits flipped", "empty", "a folder", "missing", "another's", "a text", "header"])
    if way == "bits flipped":
        for _ in range(rng.choice([1, 10, 1000])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif way == "header":
        content[rng.randrange(2000)] ^= 1 << rng.randrange(8)
    path.unlink()
    if way == "a folder":
        path.mkdir()
    elif way == "another's":
        shutil.copy(next(each for each in path.parent.glob("*.safetensors") if each != path), path)
    elif way != "missing":
        kept: dict[str, bytes | bytearray] = {
            "cut short": content[: rng.randrange(len(content))],
            "empty": b"",
            "a text": b"a text",
        }
        path.write_bytes(kept.get(way, content))
    return f"{path.name} {way}"


@contextmanager
def coarse_atlases() -> Iterator[None]:
    """Make coarse atlases, into which only a browser looks: they take longer than all else."""
    with patch.object(atlas, "SIDES", (8,)):
        yield


def main(minutes: float, first: int) -> None:
    """Try checkpoints, addresses and messages for so many minutes each; print what failed.

    Raises:
        RuntimeError: something failed.
    """
    failures: list[Failure] = []

    def over(kind: str, one: Callable[[int], Failure | None]) -> None:
        number, began = first, time.monotonic()
        while time.monotonic() < began + 60 * minutes / 3:
            if failure := one(number):
                failures.append(failure)
                print(f"{failure.case}\n  {failure.error}", flush=True)
            number += 1
        print(f"{number - first} {kind}: {sum(f.case.startswith(kind[:7]) for f in failures)} failures", flush=True)

    with coarse_atlases():
        over("checkpoints", checkpoint)
        over("addresses", address)
    with server("streamlit_app.py"):
        asyncio.run(answers(f"localhost:{PORT}"))
        over("messages", lambda number: asyncio.run(messages(f"localhost:{PORT}", number)))
    if failures:
        raise RuntimeError(f"{len(failures)} cases failed")
