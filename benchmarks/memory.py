"""What a server holds when 40 sessions have opened all experiments, betas and tools, one after the other.

Each view is opened by several sessions, each session opens some of them, two at a time. Prints the memory as it grows,
and the slowest views.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from urllib.parse import urlencode

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.asyncio.client import ClientConnection

from benchmarks.fuzz import TOOLS, components_after_run
from benchmarks.load import answers, session
from benchmarks.server import PORT, server
from training.checkpoint import experiment_names, other_betas
from training.folders import checkpoints_dir

__all__ = ["main"]

SESSIONS, VIEWS_EACH = 40, 33
AT_ONCE = 2
ASKED = 1536  # MiB
TOLD_EVERY = 200  # views


def main() -> None:
    """Print the server's memory while sessions open views, and at the end."""
    with server("streamlit_app.py") as process:
        asyncio.run(_measure(process))


def _views() -> list[dict[str, str]]:
    found = []
    for name in experiment_names(checkpoints_dir()):
        for beta in (None, *other_betas(checkpoints_dir() / name)):
            chosen = {"experiment": name} | ({} if beta is None else {"beta": f"{beta:g}"})
            found += [chosen | {"tab": tool} for tool in TOOLS]
    return found


async def _open(connection: ClientConnection, view: dict[str, str], *, again: bool = False) -> None:
    message = BackMsg()
    message.rerun_script.query_string = urlencode(view)
    message.rerun_script.is_history_navigation = again
    await connection.send(message.SerializeToString())
    await components_after_run(connection)


async def _measure(process: psutil.Process) -> None:
    host, views = f"localhost:{PORT}", _views()
    slowest: list[tuple[float, str]] = []
    await answers(host)
    turns, opened = asyncio.Semaphore(AT_ONCE), 0

    def told() -> str:
        return f"{process.memory_info().rss / 2**20:.0f} MiB"

    async def one(number: int, stack: AsyncExitStack) -> None:
        nonlocal opened
        client = await stack.enter_async_context(session(host))
        mine = [views[(number * VIEWS_EACH + step) % len(views)] for step in range(VIEWS_EACH)]
        random.Random(number).shuffle(mine)
        for step, view in enumerate(mine):
            async with turns:
                began = time.perf_counter()
                await _open(client.connection, view, again=step > 0)
            slowest.append((time.perf_counter() - began, ", ".join(view.values())))
            opened += 1
            if opened % TOLD_EVERY == 0:
                print(f"{opened} views opened: {told()}", flush=True)

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(session(host))
        await _open(first.connection, {})
        print(f"one session, before torch is needed: {told()}", flush=True)
        await asyncio.gather(*(one(number, stack) for number in range(SESSIONS)))
        print(f"{SESSIONS} sessions, {opened} of {len(views)} different views: {told()} (asked: {ASKED} MiB at most)")
    print("slowest: " + "; ".join(f"{seconds:.1f} s {view}" for seconds, view in sorted(slowest)[-3:]))
