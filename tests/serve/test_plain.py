"""The app without a proxy: `streamlit run`, opened to a class."""

import os
import socket
import subprocess
import sys
import threading

from tests.conftest import ROOT, free_port


def test_a_server_that_is_opened_to_all_asks_nobody_outside_for_its_address() -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as outside:  # as a proxy, it hears of every request

        def listen() -> None:
            while True:
                try:
                    connection, _ = outside.accept()
                except OSError:
                    return  # closed
                with connection:
                    asked.append(connection.recv(1000))

        threading.Thread(target=listen, daemon=True).start()
        proxy = f"http://127.0.0.1:{outside.getsockname()[1]}"
        options = ["--server.address", "0.0.0.0", "--server.port", str(free_port()), "--server.headless", "true"]
        with subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options],
            cwd=ROOT,
            env=os.environ | {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""},
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout
            told = next(line for line in server.stdout if "URL:" in line)  # it is asked for before any is told
            server.kill()
        outside.shutdown(socket.SHUT_RDWR)
    assert "http://localhost:" in told
    assert asked == []
