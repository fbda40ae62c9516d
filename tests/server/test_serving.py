"""The socket: whose it is, who asks, and how it ends."""

import asyncio
import fcntl
import os
import re
import signal
import socket
import sys
import termios
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from skep.model.errors import RefusedError, UnavailableError
from skep.server.api import create_api
from skep.server.listen import listen_unix
from skep.server.serving import ApiServer, removed_at_exit, user
from tests.server.front_double import WORKLOAD, FrontDouble
from tests.server.running import Running, running


def test_who_asks_is_the_peer_of_the_socket(server: Running, front: FrontDouble) -> None:
    server.request("POST", "/v1/workloads/web/scale", {"count": 1})
    assert front.asked_by == [user(os.getuid())]
    assert front.asked_by[0].startswith(f"uid {os.getuid()}")


def test_a_user_without_a_name_is_a_number() -> None:
    assert user(3_999_999_999) == "uid 3999999999"
    assert user(0) == "uid 0 (root)"


def test_nobody_else_may_connect(server: Running) -> None:
    assert oct(server.path.stat().st_mode & 0o777) == "0o600"


def test_the_socket_is_gone_when_it_has_stopped(front: FrontDouble, tmp_path: Path) -> None:
    with running(front, tmp_path / "s") as server:
        assert server.path.exists()
    assert not server.path.exists()


def test_a_socket_left_behind_is_replaced(front: FrontDouble, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    with running(front, tmp_path / "s") as server:
        assert server.request("GET", "/v1/status")[0] == 200


def test_a_socket_that_took_the_place_of_one_that_is_ending_is_left_alone(tmp_path: Path) -> None:
    """Who ends hangs up at once, and finishes what is under way: a successor begins meanwhile. Fails on ext4 when
    sockets are told apart by their inodes alone."""
    path = tmp_path / "s"
    ending = listen_unix(path)
    with removed_at_exit(path):
        ending.close()
        successor = listen_unix(path)
    with successor, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_that_lives_is_left_alone_and_its_holder_named(server: Running, front: FrontDouble) -> None:
    with pytest.raises(RefusedError, match=f"process {os.getpid()} listens on {server.path} already"):
        asyncio.run(ApiServer(server.path, create_api(front)).serve(asyncio.Event()))
    assert server.request("GET", "/v1/status")[0] == 200


def test_a_file_that_is_no_socket_is_left_alone(front: FrontDouble, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("kept")
    with pytest.raises(RefusedError, match="is no socket"):
        asyncio.run(ApiServer(path, create_api(front)).serve(asyncio.Event()))
    assert path.read_text() == "kept"


def test_a_path_that_no_socket_can_have_is_refused(front: FrontDouble, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="107 bytes"):
        asyncio.run(ApiServer(tmp_path / ("x" * 108), create_api(front)).serve(asyncio.Event()))


def test_a_folder_that_is_not_there_is_unavailable(front: FrontDouble, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No such file"):
        asyncio.run(ApiServer(tmp_path / "no" / "s", create_api(front)).serve(asyncio.Event()))


def test_it_stops_without_waiting_for_who_listens_for_events(front: FrontDouble, tmp_path: Path) -> None:
    server = Running(front, tmp_path / "s")
    server.start()
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(server.request, "GET", "/v1/events?wait_s=60")
        _wait_for_listener(server, front)
        began_s = time.monotonic()
        server.stop()
        assert time.monotonic() - began_s < 30
        assert listening.result(5) == (200, [])


def _wait_for_listener(server: Running, front: FrontDouble) -> None:
    async def listeners() -> int:
        return len(front.news._waiters)  # type: ignore[attr-defined]

    _wait_for(lambda: bool(server.run(listeners())))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


async def test_two_servers_live_in_one_process_and_leave_its_signals_alone(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    stops = [asyncio.Event(), asyncio.Event()]
    paths = [tmp_path / "one", tmp_path / "two"]
    async with asyncio.TaskGroup() as tasks:
        for stop, path in zip(stops, paths, strict=True):
            tasks.create_task(ApiServer(path, create_api(FrontDouble())).serve(stop))
        async with asyncio.timeout(10):
            replies = [await _get_status(path) for path in paths]
            assert replies == ["HTTP/1.1 200 OK"] * 2
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
            stops[0].set()
            await asyncio.to_thread(_wait_for, lambda: not paths[0].exists())
            assert await _get_status(paths[1]) == "HTTP/1.1 200 OK"
            stops[1].set()


async def _get_status(path: Path) -> str:
    await asyncio.to_thread(_wait_for, path.exists)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /v1/status HTTP/1.1\r\nHost: skep\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return line.decode().strip()


async def test_a_cancelled_server_removes_its_socket(tmp_path: Path) -> None:
    task = asyncio.create_task(ApiServer(tmp_path / "s", create_api(FrontDouble())).serve(asyncio.Event()))
    assert await _get_status(tmp_path / "s") == "HTTP/1.1 200 OK"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "s").exists()


def test_many_clients_that_connect_at_once_are_all_answered(server: Running) -> None:
    barrier = threading.Barrier(64)

    def ask() -> int:
        barrier.wait(10)
        return server.request("GET", "/v1/status")[0]

    with ThreadPoolExecutor(64) as pool:
        answers = [future.result(20) for future in [pool.submit(ask) for _ in range(64)]]
    assert answers == [200] * 64


def test_garbage_on_the_socket_harms_nobody(server: Running) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.path))
        connection.sendall(b"\0garbage\r\n\r\n")
        assert re.match(rb"HTTP/1.1 400 ", connection.recv(1000))
    assert server.request("GET", "/v1/status")[0] == 200


def test_a_long_answer_leaves_at_once_and_waits_in_the_socket(tmp_path: Path) -> None:
    """With the kernel's 208 KiB it would leave in pieces, as fast as the reader and the rest of the loop let it."""
    many = [replace(WORKLOAD, key=f"workload/w{n}", name=f"w{n}") for n in range(1000)]
    with running(FrontDouble(many), tmp_path / "s") as server, server.connect() as connection:
        connection.sendall(b"GET /v1/workloads HTTP/1.1\r\nHost: skep\r\n\r\n")
        end_s = time.monotonic() + 20
        while (queued := int.from_bytes(fcntl.ioctl(connection, termios.FIONREAD, bytes(4)), sys.byteorder)) < 300_000:
            assert time.monotonic() < end_s, f"only {queued} bytes"
            time.sleep(0.05)
