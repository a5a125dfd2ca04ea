"""Relaying files: ours against the usual code (``download_media`` to disk, then ``send_document``).

Both go through the same server process, each in a process of its own that stays warm, with files of the same size.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from daemon.transfer.datacentres.cipher import AUTO, Cipher, cipher
from tests import sandbox_process
from tests.bench import report
from tests.bench.report import Row
from tests.sandbox_process import REPOSITORY, Sandbox

MIB = 1 << 20
OPERATOR = "peaje_operator"
SIZES_MIB = (20, 256)
ROUND_TRIPS_MS = (0, 50, 150)
REPEATS = {20: 5, 256: 3}
SPREAD = 1.2
"""The two quickest runs differ by less than this, or there are as many again."""
MOST_SERIES = 3
LOSSY = {"rtt_ms": 50, "bandwidth": 8_000_000, "loss": 0.001}
REFERENCE_RTT_MS = 150
CROWD = 20
LIMIT_MIB = 64


def measure(place: Path) -> Iterator[Row]:
    """Yield every row; *place* is a directory for state."""
    sandbox = sandbox_process.start(place / "sandbox", "--telegram-only")
    try:
        yield from Bench(sandbox, place).rows()
    finally:
        sandbox.stop()


class Mover:
    """A process that moves files on command: a JSON line in, a JSON line out."""

    def __init__(self, kind: str, sandbox: Sandbox, place: Path, chat: int) -> None:
        place.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.movers", kind, str(sandbox.state), str(place), str(chat)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(place / "stderr").open("wb"),
        )
        self._stderr = place / "stderr"
        self._read()

    def move(self, *urls: str) -> dict[str, Any]:
        """Deliver all of *urls* at once; seconds, cpu_s, peak_mib above idle, disk_mib."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(urls).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(self._stderr.read_text()[-3000:])
        answer: dict[str, Any] = json.loads(line)
        return answer


class Bench:
    """The movers and the server between them."""

    def __init__(self, sandbox: Sandbox, place: Path) -> None:
        self._sandbox, self._place = sandbox, place
        self._chat = int(sandbox.control("POST", "/chats", {"title": "Private", "members": [OPERATOR]})["id"])
        self._post(1)  # an empty chat is in nobody's dialogs

    def rows(self) -> Iterator[Row]:
        """Everything."""
        with self._mover("stock") as stock, self._mover("ours") as ours:
            yield from self._relays(ours, stock)
            yield from self._lossy(ours, stock)
            yield from self._without_moving(ours, stock)
            yield from self._crowd(ours, stock)
        yield from self._two_processes()
        yield from self._ciphers()
        yield from self._telethon()
        yield from self._memory()

    @contextlib.contextmanager
    def _mover(self, kind: str) -> Iterator[Mover]:
        mover = Mover(kind, self._sandbox, self._place / kind, self._chat)
        try:
            mover.move(self._post(1000))  # warm
            yield mover
        finally:
            mover.stop()

    def _relays(self, ours: Mover, stock: Mover) -> Iterator[Row]:
        for size in SIZES_MIB:
            for rtt in ROUND_TRIPS_MS:
                self._network(rtt_ms=rtt)
                theirs, mine = self._best(stock, size), self._best(ours, size)
                conditions = {"size_mib": size, "rtt_ms": rtt, "best_of": mine["runs"]}
                yield report.row(f"relay_{size}MiB_{rtt}ms", mine["seconds"], "s", conditions, theirs["seconds"])
                if size == 256:
                    yield from self._costs(mine, theirs, rtt, conditions)

    def _costs(
        self, mine: dict[str, Any], theirs: dict[str, Any], rtt: int, conditions: dict[str, Any]
    ) -> Iterator[Row]:
        cpu = [1000 * one["cpu_s"] / 256 for one in (mine, theirs)]
        yield report.row(f"relay_cpu_256MiB_{rtt}ms", cpu[0], "ms/MiB", conditions, cpu[1])
        yield report.row(f"relay_download_alone_256MiB_{rtt}ms", mine["seconds"], "s", conditions, theirs["download_s"])
        yield report.row(f"relay_upload_alone_256MiB_{rtt}ms", mine["seconds"], "s", conditions, theirs["upload_s"])
        if rtt == 50:
            yield report.row("relay_disk_256MiB", mine["disk_mib"], "MiB", conditions, theirs["disk_mib"])
        if rtt == 0:
            limit = machine_limit()
            rate = 256 * MIB / 1e6 / mine["seconds"]
            yield report.row("relay_of_machine_limit", rate, "MB/s", conditions, limit, higher_is_better=True)

    def _lossy(self, ours: Mover, stock: Mover) -> Iterator[Row]:
        self._network(**LOSSY)
        for size in (20, 256):
            theirs, mine = self._best(stock, size, 1), self._best(ours, size, 1)
            conditions = {"size_mib": size, **LOSSY, "best_of": 1}
            yield report.row(f"relay_{size}MiB_lossy", mine["seconds"], "s", conditions, theirs["seconds"])

    def _without_moving(self, ours: Mover, stock: Mover) -> Iterator[Row]:
        """Calls in a row, as round trips: the second delivery of a private post, and the first of a public one."""
        private, public = self._post(20 * MIB), self._post(20 * MIB, "library")
        ours.move(private)
        ours.move(self._post(1000, "library"))
        self._network(rtt_ms=REFERENCE_RTT_MS)
        theirs = stock.move(private)["seconds"]
        conditions = {"size_mib": 20, "rtt_ms": REFERENCE_RTT_MS}
        for name, url in (("cached_delivery", private), ("by_reference", public)):
            seconds = ours.move(url)["seconds"]
            yield report.row(name, seconds, "s", conditions, theirs)
            yield report.row(f"{name}_round_trips", 1000 * seconds / REFERENCE_RTT_MS, "RTT", conditions)

    def _crowd(self, ours: Mover, stock: Mover) -> Iterator[Row]:
        self._network(rtt_ms=50)
        urls = self._crowd_posts()
        theirs, mine = stock.move(*urls)["seconds"], ours.move(*urls)["seconds"]
        conditions = {"size_mib": 20, "rtt_ms": 50, "at_once": CROWD}
        yield report.row(f"customers_{CROWD}x20MiB", mine, "s", conditions, theirs)
        same = self._post(20 * MIB)
        theirs, mine = stock.move(*[same] * 10)["seconds"], ours.move(*[same] * 10)["seconds"]
        yield report.row("same_post_10x20MiB", mine, "s", conditions | {"at_once": 10}, theirs)

    def _two_processes(self) -> Iterator[Row]:
        """What a second process for ciphers and sockets would bring at most: half of the crowd each, nothing shared."""
        self._network(rtt_ms=50)
        with self._mover("ours4") as one, self._mover("ours5") as other, ThreadPoolExecutor(2) as pool:

            def both() -> dict[str, Any]:
                urls, began = self._crowd_posts(), time.perf_counter()
                halves = ((one, urls[::2]), (other, urls[1::2]))
                for _ in pool.map(lambda half: half[0].move(*half[1]), halves):
                    pass
                return {"seconds": time.perf_counter() - began}

            alone, mine = quickest(lambda: one.move(*self._crowd_posts()), 3), quickest(both, 3)
        conditions = {"size_mib": 20, "rtt_ms": 50, "at_once": CROWD, "stock": "ours in one process"}
        yield report.row(f"two_processes_{CROWD}x20MiB", mine["seconds"], "s", conditions, alone["seconds"])

    def _crowd_posts(self) -> list[str]:
        return [self._post(20 * MIB) for _ in range(CROWD)]

    def _ciphers(self) -> Iterator[Row]:
        """Ours with the fastest AES module, and with the library's own."""
        with self._mover("ours1") as fastest, self._mover("ours_tgcrypto") as usual:
            for rtt in (0, 50):
                self._network(rtt_ms=rtt)
                theirs, mine = self._best(usual, 256), self._best(fastest, 256)
                conditions = {"size_mib": 256, "rtt_ms": rtt, "best_of": mine["runs"], "stock": "ours with tgcrypto"}
                yield report.row(f"cipher_256MiB_{rtt}ms", mine["seconds"], "s", conditions, theirs["seconds"])
                cpu = [1000 * one["cpu_s"] / 256 for one in (mine, theirs)]
                yield report.row(f"cipher_cpu_256MiB_{rtt}ms", cpu[0], "ms/MiB", conditions, cpu[1])

    def _telethon(self) -> Iterator[Row]:
        """Telethon's download alone, beside our whole relay."""
        with self._mover("telethon") as telethon, self._mover("ours2") as ours:
            self._network(rtt_ms=50)
            theirs, mine = self._best(telethon, 20), self._best(ours, 20)
            conditions = {"size_mib": 20, "rtt_ms": 50, "best_of": mine["runs"], "stock": "Telethon, download alone"}
            yield report.row("relay_against_telethon_download", mine["seconds"], "s", conditions, theirs["seconds"])

    def _memory(self) -> Iterator[Row]:
        self._network(rtt_ms=50)
        with self._mover("ours3") as ours:
            moved = ours.move(*[self._post(256 * MIB) for _ in range(8)])
        conditions = {"size_mib": 256, "rtt_ms": 50, "at_once": 8}
        yield report.row("memory_8x256MiB", moved["peak_mib"], "MiB", conditions)
        yield report.row("throughput_8x256MiB", 8 * 256 * MIB / 1e6 / moved["seconds"], "MB/s", conditions)

    def _best(self, mover: Mover, size: int, repeats: int | None = None) -> dict[str, Any]:
        return quickest(lambda: mover.move(self._post(size * MIB)), repeats or REPEATS[size])

    def _post(self, size: int, chat: int | str = 0) -> str:
        order = {"chat": chat or self._chat, "kind": "document", "size": size}
        return str(self._sandbox.control("POST", "/posts", order)["url"])

    def _network(self, **conditions: float) -> None:
        self._sandbox.control("POST", "/network", conditions)


def quickest(run: Callable[[], dict[str, Any]], repeats: int) -> dict[str, Any]:
    """The quickest of *repeats* runs, and ``runs``, how many there were: more where the two quickest are far apart."""
    runs: list[dict[str, Any]] = []
    for _ in range(MOST_SERIES):
        runs = sorted([*runs, *(run() for _ in range(repeats))], key=lambda each: each["seconds"])
        if repeats == 1 or runs[1]["seconds"] <= SPREAD * runs[0]["seconds"]:
            break
    return runs[0] | {"runs": len(runs)}


def machine_limit() -> float:
    """MB/s at which this machine decrypts, encrypts, and moves bytes through loopback twice, one after the other.

    With the cipher that our transfers choose.
    """
    chosen = cipher(AUTO)
    seconds_per_mib = _spent(partial(_decrypt, chosen)) + _spent(partial(_encrypt, chosen)) + 2 * _spent(_loopback)
    return MIB / 1e6 / seconds_per_mib


def _spent(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / LIMIT_MIB


def _decrypt(chosen: Cipher) -> None:
    data, key = os.urandom(MIB), os.urandom(32)
    for _ in range(LIMIT_MIB):
        chosen.decrypt(data, key, key)


def _encrypt(chosen: Cipher) -> None:
    data, key = os.urandom(MIB // 2), os.urandom(32)
    for _ in range(2 * LIMIT_MIB):
        chosen.encrypt(data, key, key)


def _loopback() -> None:
    here, there = socket.socketpair()
    data, left = bytes(MIB), LIMIT_MIB * MIB

    def send() -> None:
        for _ in range(LIMIT_MIB):
            here.sendall(data)

    sender = threading.Thread(target=send)
    sender.start()
    buffer = bytearray(MIB)
    while left:
        left -= there.recv_into(buffer)
    sender.join()
    here.close()
    there.close()
