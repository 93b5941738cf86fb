"""Classes of several sizes on several replicas: latency, failures, memory and CPU, of what sessions do once a second.

The sessions are those of `load`; they fetch no pictures, which `opening` measures. They compute on the same machine as
the replicas: how much is printed, too. One replica answers directly, several through HAProxy.
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from benchmarks.load import Client, answers, session
from benchmarks.server import PORT, server
from deploy.serve import serve

__all__ = ["ACTIONS", "TABLE", "Row", "main", "markdown", "measure"]

ACTIONS = ("click", "open", "draw", "tool", "mix")
MIX = {"click": 70, "draw": 15, "tool": 10, "open": 5}  # how often each is done, of 100
TOOLS = ("Explore", "Interpolate", "Traverse", "Generate", "Reconstruct", "Training curves", "Beta")
TABLE = [(sessions, replicas) for replicas in (1, 2, 4) for sessions in (40, 100, 200, 400)]
SECONDS_BETWEEN = 1.0  # from one action of a session to its next
AT_ONCE = 8  # sessions that are opened at a time, before anything is measured
MIB = 2**20


@dataclass
class Row:
    """What was measured of one class; times in seconds, memory in MiB."""

    sessions: int
    replicas: int
    seconds: float  # how long it took
    times: list[float] = field(default_factory=list)  # from action to answer
    failures: list[str] = field(default_factory=list)
    memory: float = 0.0  # of the replicas and the proxy
    memory_before: float = 0.0  # with one session a replica
    cpu: float = 0.0  # seconds of a core, of the replicas and the proxy
    cpu_of_clients: float = 0.0

    def quantile(self, share: float) -> float:
        """Return the time that so large a share of the actions took at most, 0.01 to 0.99; infinite if none ended."""
        if len(self.times) < 2:
            return self.times[0] if self.times else float("inf")
        return statistics.quantiles(self.times, n=100, method="inclusive")[round(100 * share) - 1]

    @property
    def memory_a_session(self) -> float:
        """Return what a session more takes."""
        return (self.memory - self.memory_before) / max(1, self.sessions - self.replicas)


def main(sizes: Sequence[tuple[int, int]], action: str, seconds: float) -> None:
    """Print a table of classes, each of so many sessions on so many replicas, as Markdown, each row when it is there.

    Args:
        sizes: sessions and replicas.
        action: one of `ACTIONS`.
        seconds: for how long each acts, once all its sessions are open.
    """
    print(f"{action}, once a second, for {seconds:g} s, on {os.cpu_count()} cores")
    for line in markdown([]):
        print(line)
    failures: list[str] = []
    for sessions, replicas in sizes:
        row = measure(sessions, replicas, action, seconds)
        print(markdown([row])[-1], flush=True)
        failures += row.failures
    for failure in failures[:5]:
        print(failure, file=sys.stderr)


def measure(sessions: int, replicas: int, action: str, seconds: float) -> Row:
    """Measure a class on replicas that have just been started, and are warm."""
    with _serving(replicas) as (hosts, processes):
        return asyncio.run(_measure(Row(sessions, replicas, seconds), action, hosts, processes))


def markdown(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table."""
    head = (
        "| sessions | replicas | median | 95th percentile | answers a second | failures | CPU an answer | memory "
        "| a session | CPU of the sessions themselves |"
    )
    return [
        head,
        "|" + "---|" * head.count(" | ") + "---|",
        *(
            f"| {row.sessions} | {row.replicas} "
            f"| {1000 * row.quantile(0.5):.0f} ms | {1000 * row.quantile(0.95):.0f} ms "
            f"| {len(row.times) / row.seconds:.0f} | {len(row.failures)} "
            f"| {1000 * row.cpu / max(1, len(row.times)):.1f} ms "
            f"| {row.memory:.0f} MiB | {row.memory_a_session:.1f} MiB "
            f"| {row.cpu_of_clients / row.seconds:.0%} of a core |"
            for row in rows
        ),
    ]


@contextmanager
def _serving(replicas: int) -> Iterator[tuple[list[str], list[psutil.Process]]]:
    """Serve the app: where sessions find it, then each replica; and the processes."""
    if replicas == 1:
        with server("streamlit_app.py") as process:
            yield [f"localhost:{PORT}"] * 2, [process]
        return
    with serve(replicas, PORT) as served:
        hosts = [urlsplit(served.address).netloc, *(f"127.0.0.1:{each.port}" for each in served.replicas)]
        pids = [served.proxy.pid, *(each.process.pid for each in served.replicas)]
        yield hosts, [psutil.Process(pid) for pid in pids]


async def _measure(row: Row, action: str, hosts: list[str], processes: list[psutil.Process]) -> Row:
    host, *replicas = hosts
    begin, over, turns = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:
        for replica in replicas:
            await answers(replica)
            warm = await stack.enter_async_context(session(replica))
            await warm.open()
            await warm.change_tool("Draw")
        row.memory_before = _memory(processes)
    opened = [asyncio.Event() for _ in range(row.sessions)]
    tasks = [
        asyncio.create_task(_session(number, row, action, host, turns, opened[number], begin, over))
        for number in range(row.sessions)
    ]
    for each in opened:
        await each.wait()
    cpu, own = _cpu_seconds(processes), time.process_time()
    begin.set()
    await asyncio.sleep(row.seconds)
    row.cpu, row.cpu_of_clients = _cpu_seconds(processes) - cpu, time.process_time() - own
    row.memory = _memory(processes)
    over.set()
    await asyncio.gather(*tasks)
    return row


async def _session(
    number: int,
    row: Row,
    action: str,
    host: str,
    turns: asyncio.Semaphore,
    opened: asyncio.Event,
    begin: asyncio.Event,
    over: asyncio.Event,
) -> None:
    """Open a session, wait for the others, and act until it is over; a failure ends it, and is counted."""
    rng = random.Random(number)
    try:
        async with _open(host, turns) as client:
            if action == "draw":
                await client.change_tool("Draw")
            opened.set()
            await begin.wait()
            next_time = time.monotonic() + rng.random() * SECONDS_BETWEEN
            while True:
                await asyncio.sleep(max(0.0, next_time - time.monotonic()))
                if over.is_set():
                    return
                seconds = await _act(client, action, host, rng)
                if not over.is_set():
                    row.times.append(seconds)
                next_time = max(next_time + SECONDS_BETWEEN, time.monotonic())  # nobody acts ahead
    except Exception as error:  # whatever it is, it is a failure of the app or of the network, and counted
        row.failures.append(f"session {number} of {row.sessions} on {row.replicas}: {error!r}")
    finally:
        opened.set()


@asynccontextmanager
async def _open(host: str, turns: asyncio.Semaphore) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        async with turns:
            client = await stack.enter_async_context(session(host))
            await client.open()
        yield client


async def _act(client: Client, action: str, host: str, rng: random.Random) -> float:
    """Do something, and return how many seconds the answer took."""
    if action == "mix":
        action = rng.choices(list(MIX), list(MIX.values()))[0]
        wanted = {"click": "Explore", "draw": "Draw"}.get(action, client.tool)
        if client.tool != wanted:
            return await client.change_tool(wanted)
    if action == "click":
        return await client.click(rng.gauss(0, 1), rng.gauss(0, 1))
    if action == "draw":
        return await client.draw([[rng.randrange(40, 240) for _ in range(40)]])
    if action == "tool":
        return await client.change_tool(rng.choice([each for each in TOOLS if each != client.tool]))
    async with session(host) as another:
        return await another.open()


def _memory(processes: Sequence[psutil.Process]) -> float:
    """Return what they hold in MiB, each of what they share its part."""
    return float(sum(each.memory_full_info().pss for each in processes)) / MIB


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [each.cpu_times() for each in processes]
    return float(sum(each.user + each.system for each in times))
