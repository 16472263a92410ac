"""The device moves to another network, and the ping goes on."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.interop import firefox, npm
from tests.server import ROOT

NEEDED = ("unshare", "nsenter", "ip")
# Seconds, of a browser that has not been started before on a busy machine.
RUN_LIMIT = 300.0
NAMESPACE = ("unshare", "--net", "--map-root-user", "--")
# Both kinds of link that the test uses, joined across two namespaces.
PROBE = (
    "ip link set lo up && ip addr add 10.9.0.1/32 dev lo && "
    "ip link add one type veth peer name two netns $$ && "
    "unshare --net true && nsenter --net=/proc/$$/ns/net true"
)


async def _run(*command: str, timeout: float) -> tuple[int, str, str]:
    """Run a command as a process group that is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            output, errors = await process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode(errors="replace")


@pytest.fixture(autouse=True)
async def _namespaces() -> None:
    """Skip where the system does not let us make network namespaces."""
    for program in NEEDED:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    code, _, errors = await _run(*NAMESPACE, "sh", "-c", PROBE, timeout=20)
    if code:
        pytest.skip(f"no network namespaces can be joined here: {errors.strip()}")


async def _moved(browser: str, way: str, driver: Path) -> dict[str, Any]:
    """What happens on the ping page while its device moves."""
    code, output, errors = await _run(
        *(*NAMESPACE, sys.executable, "-m", "tests.e2e.moving_client"),
        *(browser, way, str(driver)),
        timeout=RUN_LIMIT,
    )
    assert code == os.EX_OK, errors
    facts: dict[str, Any] = json.loads(output)
    # It is not the network that it was ...
    local = re.compile(r"^local +udp ([0-9.]+):\d+$", re.MULTILINE)
    assert local.findall(facts["first"]) == ["10.1.0.2"]
    assert local.findall(facts["second"]) == ["10.2.0.2"]
    return facts


def _went_on(facts: dict[str, Any]) -> None:
    """... but the session, and the same channel: each echo came once, in order."""
    assert facts["sessions"] == 1
    assert facts["restarts"] == facts["trickled"]
    assert len(facts["restarts"]) == 1
    assert facts["sent"] == list(range(1, len(facts["sent"]) + 1))
    assert facts["echoed"] == facts["sent"]
    # Browsers may tell of the other network before the old path is found silent.
    cause = re.match(
        "(The network has changed|Nothing came through). New path found in",
        facts["note"],
    )
    assert cause
    if cause[1] == "Nothing came through":
        assert "Connection interrupted" in facts["states"]
    assert facts["states"][-1] == "Connected"
    assert not {"Connection lost", "Not connected"} & set(facts["states"])


@pytest.mark.timeout(RUN_LIMIT + 30)
@pytest.mark.parametrize("way", ["link", "address"])
async def test_the_ping_goes_on_in_another_network(way: str) -> None:
    _went_on(await _moved("chromium", way, Path()))


@pytest.mark.timeout(RUN_LIMIT + 30)
async def test_firefox_comes_back_in_another_network(
    request: pytest.FixtureRequest,
) -> None:
    """It gives a connection up when a packet has no way out: then it opens another."""
    firefox.find()
    driver = npm.install(request.config.cache, firefox.PACKAGE)
    facts = await _moved("firefox", "link", driver)
    if facts["sessions"] == 1:
        _went_on(facts)
        return
    assert facts["states"][-1] == "Connected"
    assert "Connection lost" in facts["states"]
    # Echoes come once, and in order, until the end of the first session and again
    # from the beginning of the second one.
    assert facts["echoed"] == sorted(set(facts["echoed"]))
    lost = [number for number in facts["sent"] if number not in facts["echoed"]]
    assert not lost or lost == list(range(lost[0], lost[-1] + 1))
    assert facts["sent"][-1] == facts["echoed"][-1]
