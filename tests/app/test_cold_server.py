"""A class that opens a fresh server at once: what is imported late is imported once, before another session sees it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load import session
from tests.conftest import streamlit_server
from training.folders import checkpoints_dir

SESSIONS = 12


def test_sessions_that_arrive_together_at_a_cold_server_all_get_their_maps(tmp_path: Path) -> None:
    async def open_one(host: str) -> None:
        async with session(host) as client:
            await client.open()  # raises where the page shows an exception
            assert client.answer

    async def open_all(host: str) -> None:
        await asyncio.gather(*(open_one(host) for _ in range(SESSIONS)))

    with streamlit_server(checkpoints_dir(), tmp_path) as address:
        # In a thread of its own: Playwright's loop may be running in this one.
        ThreadPoolExecutor().submit(asyncio.run, open_all(urlsplit(address).netloc)).result()
