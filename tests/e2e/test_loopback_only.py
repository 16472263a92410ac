"""A machine with no network but loopback: everything still works on it."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.server import ROOT

# Brings up the loopback interface of a new network namespace, and runs a command.
IN_NAMESPACE = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
assert [name for _, name in socket.if_nameindex()].count("lo") == 1
os.execvp(sys.argv[1], sys.argv[1:])
"""


async def _isolated(*command: str, timeout: float) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--net", "--map-root-user", "--"),
        *(sys.executable, "-c", IN_NAMESPACE, *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    async with asyncio.timeout(timeout):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


@pytest.fixture(autouse=True)
async def _namespaces() -> None:
    """Skip where the system does not let us make a network namespace."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    code, output = await _isolated("true", timeout=20)
    if code:
        pytest.skip(f"no network namespace can be made here: {output.strip()}")


async def test_page_and_ping_on_loopback_alone() -> None:
    tests = Path(__file__).parent
    code, output = await _isolated(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        f"{tests / 'test_ping.py'}::test_connects_by_itself_and_pings",
        f"{ROOT / 'tests/unit/test_cli.py'}::test_ping_prints_a_line_for_each_reply",
        timeout=300,
    )
    assert code == os.EX_OK, output
    assert "2 passed" in output
