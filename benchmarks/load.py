"""The app under a class: 40 sessions that open a cold server at once, then click once a second each, for ten minutes,
and for ten more while a fit goes on beside the server: a process for each of its two models.

Sessions are protocol clients, not browsers: they speak Streamlit's websocket protocol, so that what is measured is the
server. A click is answered when the new decode has arrived.
"""

import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.live import fit_under_way
from benchmarks.parts import part
from benchmarks.server import PORT, server
from training.folders import checkpoints_dir

SESSIONS = 40
MINUTES = float(os.environ.get("LOAD_MINUTES", "10"))
SECONDS_BETWEEN_CLICKS = 1.0
SETTLED = 2.0  # minutes after which memory is compared with its end
ASKED = 500  # milliseconds
ANSWER_WITHIN = 30.0  # seconds; later is a failure
OVERLAY = "overlay_map_vae"


@dataclass
class Client:
    """One session."""

    connection: ClientConnection
    overlay: str = ""  # the id of the overlay of the VAE's map
    fragment: str = ""  # that redraws its answer
    answer: str = ""  # what it said last
    notifying: list[str] = field(default_factory=list)  # overlays that want to know when the map is drawn
    tool: str = "Explore"
    tools: str = ""  # the id of the choice of a tool
    tools_fragment: str = ""  # that redraws it
    pad: str = ""  # the id of the pad
    pad_fragment: str = ""
    pad_version: int = 0
    pad_answered: int = 0  # the number of the last report that the page shows

    async def receive(self) -> ForwardMsg:
        """Read a message, and note what it tells of the page; raises where the page shows an exception."""
        message = ForwardMsg()
        message.ParseFromString(await asyncio.wait_for(self.connection.recv(), ANSWER_WITHIN))
        kind = message.WhichOneof("type")
        if kind == "session_event" and message.session_event.WhichOneof("type") == "script_compilation_exception":
            raise RuntimeError("the app does not start")
        if kind == "delta":
            element, fragment = message.delta.new_element, message.delta.fragment_id
            which = element.WhichOneof("type")
            if which == "exception":
                raise RuntimeError(f"the app failed: {element.exception.message}")
            if which == "button_group" and element.button_group.id.endswith("-tab"):
                self.tools, self.tools_fragment = element.button_group.id, fragment
            if which == "bidi_component":
                self._note(element.bidi_component.id, json.loads(element.bidi_component.json or "{}"), fragment)
        return message

    def _note(self, component: str, data: dict[str, Any], fragment: str) -> None:
        if data.get("notifies"):
            self.notifying.append(component)
        if component.endswith(f"-{OVERLAY}"):
            self.overlay, self.fragment, self.answer = component, fragment, data["answer"]
        if component.endswith("-pad"):
            self.pad, self.pad_fragment = component, fragment
            self.pad_version, self.pad_answered = data["version"], data["answered"]

    async def until_run_ends(self) -> None:
        """Read messages until a run of the app has ended."""
        while (await self.receive()).WhichOneof("type") != "script_finished":
            pass

    async def trigger(self, component: str, event: str, value: object, fragment: str = "") -> None:
        """Send what the browser does when a component reports something."""
        message = BackMsg()
        message.rerun_script.fragment_id = fragment
        state = message.rerun_script.widget_states.widgets.add()
        state.id = f"$$STREAMLIT_INTERNAL_KEY_{component}__events"
        state.json_trigger_value = json.dumps([{"event": event, "value": value}])
        await self.connection.send(message.SerializeToString())

    async def open(self, query: str = "") -> float:
        """Open the page; return the seconds up to the first answer."""
        started = time.perf_counter()
        message = BackMsg()
        message.rerun_script.query_string = query
        await self.connection.send(message.SerializeToString())
        await self.until_run_ends()
        if not self.overlay:  # the first session of a server is told to draw its map before the decoders are loaded
            await self.trigger(self.notifying[-1], "drawn", True)
            await self.until_run_ends()
        return time.perf_counter() - started

    async def click(self, x: float, y: float) -> float:
        """Click a map; return the seconds to the answer."""
        started = time.perf_counter()
        before = self.answer
        await self.trigger(self.overlay, "pick", {"x": x, "y": y}, self.fragment)
        return await self._answered(started, lambda: self.answer != before)

    async def change_tool(self, tool: str) -> float:
        """Choose a tool; return the seconds to the end of its run."""
        started = time.perf_counter()
        message = BackMsg()
        message.rerun_script.fragment_id = self.tools_fragment
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self.tools
        state.string_array_value.data.append(tool)
        await self.connection.send(message.SerializeToString())
        await self.until_run_ends()
        self.tool = tool
        return time.perf_counter() - started

    async def draw(self, strokes: list[list[int]]) -> float:
        """Draw a stroke on the pad of the tool Draw; return the seconds to what the models make of it."""
        started = time.perf_counter()
        number = self.pad_answered + 1
        report = {"number": number, "version": self.pad_version, "based": False, "strokes": strokes}
        await self.trigger(self.pad, "drawn", report, self.pad_fragment)
        return await self._answered(started, lambda: self.pad_answered == number)

    async def _answered(self, started: float, is_answered: Callable[[], bool]) -> float:
        """Return seconds from the start to the answer, when the run that it came from has ended, too."""
        while not is_answered():
            await self.receive()
        seconds = time.perf_counter() - started
        await self.until_run_ends()
        return seconds


@asynccontextmanager
async def session(host: str, **headers: str) -> AsyncIterator[Client]:
    """Open a session of the server at `host:port`, or `host:port/path`; headers, as `Cookie`, go with its request."""
    # A session that waits for its turn reads nothing meanwhile, and is not to be taken for dead.
    unbounded: dict[str, Any] = {"max_size": None, "max_queue": None}
    address, protocols = f"ws://{host}/_stcore/stream", [Subprotocol("streamlit")]
    async with connect(address, subprotocols=protocols, additional_headers=headers, **unbounded) as connection:
        yield Client(connection)


async def answers(host: str) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        with suppress(OSError):
            async with session(host):
                return
        await asyncio.sleep(0.1)


@dataclass
class Measured:
    """What the sessions have seen."""

    openings: list[float] = field(default_factory=list)  # seconds to the first answer
    clicks: list[float] = field(default_factory=list)  # seconds to the answer
    clicks_before_all_were_open: int = 0
    failures: list[str] = field(default_factory=list)


async def _session(number: int, over: asyncio.Event, measured: Measured) -> None:
    rng = random.Random(number)
    try:
        async with session(f"localhost:{PORT}") as client:
            measured.openings.append(await client.open())
            measured.clicks_before_all_were_open = len(measured.clicks)
            next_click = time.monotonic() + rng.random() * SECONDS_BETWEEN_CLICKS
            while not over.is_set():
                await asyncio.sleep(max(0.0, next_click - time.monotonic()))
                measured.clicks.append(await client.click(rng.gauss(0, 1), rng.gauss(0, 1)))
                next_click = max(next_click + SECONDS_BETWEEN_CLICKS, time.monotonic())  # nobody clicks ahead
    except Exception as error:  # whatever it is, it is a failure of the app or of the network, and counted
        measured.failures.append(f"session {number}: {error!r}")


async def _measure(process: psutil.Process) -> None:
    await answers(f"localhost:{PORT}")
    measured, over = Measured(), asyncio.Event()
    sessions = [asyncio.create_task(_session(number, over, measured)) for number in range(SESSIONS)]
    settled_after = min(SETTLED, MINUTES / 2)
    await asyncio.sleep(60 * settled_after)
    settled = process.memory_info().rss / 2**20
    await asyncio.sleep(60 * (MINUTES - settled_after))
    if len(measured.openings) + len(measured.failures) < SESSIONS:
        raise RuntimeError(f"only {len(measured.openings)} sessions have opened; take a longer time, LOAD_MINUTES")
    ended = process.memory_info().rss / 2**20
    last = max(measured.openings)
    print(f"{SESSIONS} sessions on a cold server at once: the last one has its answer after {last:.1f} s")
    _print_clicks("the cold start included", measured.clicks)
    _print_clicks("once all are open", measured.clicks[measured.clicks_before_all_were_open :])
    print(f"memory after {settled_after:g} minutes: {settled:.0f} MiB; at the end: {ended:.0f} MiB")
    with part("clicks beside a fit"), ExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, fit_under_way(checkpoints_dir()))
        before = len(measured.clicks)
        await asyncio.sleep(60 * MINUTES)
        _print_clicks(f"beside a fit (asked are less than {ASKED} ms at the 95th percentile)", measured.clicks[before:])
    over.set()
    await asyncio.gather(*sessions)
    print(f"{len(measured.clicks)} clicks in all, {len(measured.failures)} failures")
    for failure in measured.failures[:5]:
        print(failure, file=sys.stderr)


def _print_clicks(when: str, seconds: list[float]) -> None:
    late = statistics.quantiles(seconds, n=20)[-1]
    print(
        f"click to answer, {when}: {1000 * statistics.median(seconds):.0f} ms median, "
        f"{1000 * late:.0f} ms at the 95th percentile"
    )


def main() -> None:
    """Print latency, failures and memory under load, without and with a fit; LOAD_MINUTES shortens both."""
    with server("streamlit_app.py") as process:
        asyncio.run(_measure(process))
