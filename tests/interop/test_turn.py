"""Our client where UDP is dropped: a TURN server over TCP carries it; and NATs."""

import asyncio
from pathlib import Path

import pytest

from tests.coturn import SECRET, needs_coturn
from tests.networks.world import NO_UDP

from .namespace import Namespace, why_impossible
from .namespaces import PUBLIC, URL, Internet

#: The side of the router ``internet`` that the client's provider is on.
TURN = "198.51.100.1"


UNTIL_IT_LISTENS = f"""
import socket, time
while True:
    try:
        socket.create_connection(("{TURN}", 3478))
        break
    except OSError:
        time.sleep(0.05)
"""


async def start_coturn(place: Namespace, folder: Path) -> asyncio.subprocess.Process:
    """Run coturn, and wait until it listens."""
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", place.name, "turnserver", "-n", "--no-cli"),
        *("--no-tls", "--no-dtls", "--log-file=stdout", "--simple-log"),
        *(f"--listening-ip={TURN}", f"--relay-ip={TURN}", "--realm=whipbird"),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}"),
        *(f"--pidfile={folder / 'pid'}", f"--userdb={folder / 'users'}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    waiting = await place.python("-c", UNTIL_IT_LISTENS)
    assert await waiting.ended() == 0, waiting.output
    return process


@needs_coturn
@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())
async def test_ping_and_publish(tmp_path: Path) -> None:
    async with Internet() as internet:
        middle = next(n for n in internet._made if n.name.endswith("-internet"))
        coturn = await start_coturn(middle, tmp_path)
        try:
            server = await internet.start_server(
                *("--public-address", PUBLIC, "--turn-secret", SECRET),
                *("--ice-server", f"turn:{TURN}?transport=udp"),
                *("--ice-server", f"turn:{TURN}?transport=tcp"),
            )
            laptop = await internet.laptop.whipbird("doctor", URL, "-W", "30")
            assert await laptop.ended() == 0, laptop.output
            assert "warning  NAT         symmetric: 10.0.0.2 port" in laptop.output
            internet.client.nft(NO_UDP)
            whipbird = internet.client.whipbird
            ping = await whipbird("ping", f"{URL}/whip/test", "-c", "2", "-i", "0.1")
            assert await ping.ended() == 0, ping.output
            assert "port 8080, through a TURN server)" in ping.output
            publish = await whipbird(
                *("publish", "testsrc", f"{URL}/whip/show", "--duration", "1"),
                *("--size", "320x180", "--bitrate", "300k"),
            )
            assert await publish.ended() == 0, publish.output
            doctor = await whipbird("doctor", URL, "-W", "5")
            # UDP is blocked, all the same.
            assert await doctor.ended() == 1, doctor.output
            assert f"ok       ICE-TCP     {PUBLIC} port 8080 answers" in doctor.output
            assert "failed   UDP         nothing came back from UDP" in doctor.output
            assert "failed   TURN        the TURN server" in doctor.output
            assert "ok       TURN        turn:" in doctor.output
            assert "ok       Connection  through a TURN server" in doctor.output
            assert internet.sources() != set()
            assert await server.stop() == 0
        finally:
            coturn.terminate()
            await coturn.wait()
