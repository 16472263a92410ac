"""Three network namespaces: of the server, of the relay and of the impaired client."""

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from ..servers import ROOT, ServerError, environment, stop
from .way import Counters, Impairment

SERVER_ADDRESS, CLIENT_ADDRESS = "10.77.0.1", "10.77.0.2"

# Of the namespaces' names; the process that made them comes next.
_PREFIX = "whipbird-bench-"

# Seconds for a process to do what takes an instant.
_TIMEOUT = 20.0


class LabError(Exception):
    """This machine cannot do it. The message says what is missing."""


class Lab:
    """The namespaces, and the relay that joins them.

    Attributes:
        server, client: the names of the namespaces; the server's has
            ``SERVER_ADDRESS``, the client's ``CLIENT_ADDRESS``.
    """

    def __init__(self, name: str, relay: asyncio.subprocess.Process) -> None:
        self.server, self.client = f"{name}-server", f"{name}-client"
        self._relay = relay

    async def impair(
        self, down: Impairment | None = None, up: Impairment | None = None
    ) -> Mapping[str, Counters]:
        """Change both directions, or leave what is None.

        Returns:
            What ``down`` and ``up`` did since this was called last.
        """
        assert self._relay.stdin is not None
        assert self._relay.stdout is not None
        change = {
            name: None if impairment is None else dataclasses.asdict(impairment)
            for name, impairment in (("down", down), ("up", up))
        }
        self._relay.stdin.write(json.dumps(change).encode() + b"\n")
        answer = await asyncio.wait_for(self._relay.stdout.readline(), _TIMEOUT)
        return {name: Counters(**found) for name, found in json.loads(answer).items()}


def missing() -> str | None:
    """Say what this machine lacks for a lab; None when it lacks nothing."""
    if os.geteuid() != 0:
        return "root"
    return None if shutil.which("ip") else "ip (iproute2)"


@asynccontextmanager
async def lab(seed: int) -> AsyncIterator[Lab]:
    """Make the namespaces, and remove them when done.

    Args:
        seed: of what is lost.

    Raises:
        LabError: when namespaces are not allowed here.
    """
    await _remove_leftovers()
    name = f"{_PREFIX}{os.getpid()}"
    server, relay, client = (f"{name}-{part}" for part in ("server", "relay", "client"))
    made: list[str] = []
    try:
        for namespace in (server, relay, client):
            await _ip("netns", "add", namespace)
            made.append(namespace)
            await _ip("-n", namespace, "link", "set", "lo", "up")
        await _join(server, SERVER_ADDRESS, CLIENT_ADDRESS, relay, "server")
        await _join(client, CLIENT_ADDRESS, SERVER_ADDRESS, relay, "client")
        async with started(
            relay, [sys.executable, "-m", "bench.loss.relay", str(seed)], ROOT
        ) as process:
            assert process.stdout is not None
            if not await asyncio.wait_for(process.stdout.readline(), _TIMEOUT):
                raise LabError("the relay has no access to the interfaces")
            yield Lab(name, process)
    finally:
        for namespace in made:
            with contextlib.suppress(LabError):
                await _ip("netns", "delete", namespace)


async def _remove_leftovers() -> None:
    """Remove the namespaces of runs that were killed, and what still runs in them."""
    for line in (await _ip("netns", "list")).splitlines():
        name = line.split()[0]
        if not name.startswith(_PREFIX):
            continue
        if not _is_running(int(name.removeprefix(_PREFIX).partition("-")[0])):
            for pid in (await _ip("netns", "pids", name)).split():
                os.kill(int(pid), signal.SIGKILL)
            await _ip("netns", "delete", name)


def _is_running(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


async def _join(
    namespace: str, address: str, gateway: str, relay: str, interface: str
) -> None:
    """Join a namespace and the relay's."""
    peer = ("peer", "name", interface, "netns", relay)
    await _ip("-n", namespace, "link", "add", "eth0", "type", "veth", *peer)
    # One datagram is one frame: the relay must not see batches of them.
    await _ip("-n", namespace, "link", "set", "eth0", "gso_max_segs", "1")
    for where, name in ((namespace, "eth0"), (relay, interface)):
        await _ip("-n", where, "link", "set", name, "addrgenmode", "none", "up")
    await _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
    # A browser looks for its address on the way to the internet.
    await _ip("-n", namespace, "route", "add", "default", "via", gateway)


async def _ip(*arguments: str) -> str:
    """Run ip(8).

    Returns:
        Its output.

    Raises:
        LabError: when it fails. The message has what it wrote.
    """
    process = await asyncio.create_subprocess_exec(
        "ip",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise LabError(f"ip {' '.join(arguments)}: {errors.decode().strip()}")
    return output.decode()


def enter(namespace: str, *, goes_first: bool) -> str:
    """A line of shell that runs its arguments in a namespace.

    Args:
        goes_first: whether the session that it is in goes before others (sched(7),
            autogroups), where what else the machine does would freeze pictures, too.
            Chromium does not let itself be nice.
    """
    first = "{ echo -19 > /proc/self/autogroup; } 2> /dev/null; " if goes_first else ""
    return f'{first}exec ip netns exec {namespace} "$@"'


@asynccontextmanager
async def started(
    namespace: str,
    command: Sequence[str],
    tree: Path,
    *,
    folder: str | None = None,
    log: IO[bytes] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process in a namespace, with pipes, and end it when done.

    Args:
        tree: the checkout whose modules a Python program finds.
        folder: where it runs.
        log: gets its output, which is a pipe otherwise.
    """
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", enter(namespace, goes_first=True), "sh"),
        *command,
        cwd=folder,
        start_new_session=True,
        env=environment(tree),
        stdin=asyncio.subprocess.PIPE,
        stdout=log or asyncio.subprocess.PIPE,
        stderr=log,
    )
    try:
        yield process
    finally:
        await stop(process)


async def listening(process: asyncio.subprocess.Process, port: int) -> None:
    """Wait until something listens on a TCP port in a process' namespace.

    Raises:
        ServerError: when the process has ended, or takes too long.
    """
    # As proc_net_tcp(5) has it: the port in hexadecimal digits, state LISTEN.
    tables = [Path(f"/proc/{process.pid}/net/{name}") for name in ("tcp", "tcp6")]
    for _ in range(int(_TIMEOUT / 0.05)):
        await asyncio.sleep(0.05)
        if process.returncode is not None:
            break
        for table in tables:
            rows = table.read_text().splitlines()[1:] if table.exists() else []
            for local, _, state in (row.split()[1:4] for row in rows):
                if state == "0A" and local.endswith(f":{port:04X}"):
                    return
    raise ServerError("the server does not listen")
