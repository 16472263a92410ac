"""The ICE agent: its addresses, its waits, and what strangers send to it."""

import asyncio
import socket

import pytest
from aioice import Candidate, Connection
from aioice.stun import Class, Message, Method
from aiortc import RTCSessionDescription

from tests.unit.rtc.conftest import Connect, Pair
from tests.waiting import until
from whipbird.rtc import Certificate, HostAddresses, Peer, PeerOptions
from whipbird.rtc.ice import AioiceConnection
from whipbird.rtc.ice_agent import MAX_REMOTE_CANDIDATES
from whipbird.rtc.ice_connection import MAX_EARLY_DATAGRAMS
from whipbird.rtc.ice_socket import IceSocket, bind
from whipbird.sdp.offer import parse_offer

BINDING = b"\x00\x01"
COOKIE = b"\x21\x12\xa4\x42" + bytes(12)


class Addresses(HostAddresses):
    """Addresses that a test chooses, and may change."""

    def __init__(self, *found: str) -> None:
        super().__init__()
        self.found = list(found)

    def current(self) -> list[str]:
        return self.found


LOCAL = Addresses("127.0.0.1")


def connection(*found: str) -> AioiceConnection:
    return AioiceConnection(Addresses(*found))


async def test_gathers_on_the_addresses_it_is_given() -> None:
    # 192.0.2.0/24 is nobody's: an address that cannot be bound is left out.
    agent = connection("127.0.0.1", "192.0.2.201")
    await agent.gather_candidates()
    assert [c.host for c in agent.local_candidates] == ["127.0.0.1"]
    await agent.close()


async def test_credentials_have_their_length() -> None:
    """RFC 8839 section 5.4: at least 4 and 22 characters."""
    agent = connection()
    assert len(agent.local_username) >= 4
    assert len(agent.local_password) >= 22
    assert agent.local_username != connection().local_username
    await agent.close()


async def _agents() -> tuple[AioiceConnection, AioiceConnection]:
    a, b = connection("127.0.0.1"), connection("127.0.0.1")
    a.ice_controlling = True
    for one, other in ((a, b), (b, a)):
        await one.gather_candidates()
        one.remote_username = other.local_username
        one.remote_password = other.local_password
    return a, b


async def test_connects_without_knowing_the_candidates_of_the_peer() -> None:
    """A peer that neither offers nor trickles any is found by its own checks."""
    a, b = await _agents()
    a.agent.add_remote(b.local_candidates[0])
    await asyncio.wait_for(asyncio.gather(a.connect(), b.connect()), 5)
    assert b.selected_pair is not None
    assert b.selected_pair.remote_candidate.type == "prflx"
    received: list[bytes] = []
    b.attach(received.append)
    a.send_now(b"\x80data")
    await until(lambda: received)
    assert received == [b"\x80data"]
    await a.close()
    await b.close()


async def test_a_candidate_that_comes_late_is_checked() -> None:
    a, b = await _agents()
    connecting = asyncio.gather(a.connect(), b.connect())
    await asyncio.sleep(0)
    assert a.selected_pair is None
    a.agent.add_remote(b.local_candidates[0])
    await asyncio.wait_for(connecting, 5)
    await a.close()
    await b.close()


async def test_checks_from_ever_new_addresses_are_bounded() -> None:
    a, b = await _agents()
    a.agent.add_remote(b.local_candidates[0])
    await asyncio.wait_for(asyncio.gather(a.connect(), b.connect()), 5)
    message = Message(Method.BINDING, Class.REQUEST, attributes={"PRIORITY": 1})
    for port in range(1000, 1000 + 2 * MAX_REMOTE_CANDIDATES):
        protocol = b.agent.sockets[0]
        b.agent.check_incoming(message, ("127.0.0.1", port), protocol)
    assert len(b.agent.verified_addresses) == MAX_REMOTE_CANDIDATES
    assert len(b.remote_candidates) == MAX_REMOTE_CANDIDATES
    await a.close()
    await b.close()


async def test_who_has_passed_a_check_is_heard_at_once() -> None:
    """The check is answered before ``connect``, and DTLS may follow."""
    a, b = await _agents()
    a.agent.add_remote(b.local_candidates[0])
    connecting = asyncio.create_task(a.connect())
    await asyncio.wait_for(connecting, 5)
    a.send_now(b"\x16hello")
    received: list[bytes] = []
    b.attach(received.append)
    await until(lambda: received)
    assert received == [b"\x16hello"]
    await asyncio.wait_for(b.connect(), 5)
    assert b.selected_pair is not None
    await a.close()
    await b.close()


async def test_closing_ends_a_connect_that_waits() -> None:
    a, b = await _agents()
    connecting = asyncio.create_task(a.connect())
    await asyncio.sleep(0)
    await a.close()
    with pytest.raises(ConnectionError):
        await connecting
    a.agent.add_remote(Candidate.from_sdp("1 1 udp 1 127.0.0.1 9 typ host"))
    assert not a.remote_candidates
    await b.close()


async def test_early_datagrams_are_kept_and_bounded() -> None:
    agent = connection()
    for n in range(MAX_EARLY_DATAGRAMS + 10):
        agent.data_received(bytes([22, n]))
    received: list[bytes] = []
    agent.attach(received.append)
    assert received == [bytes([22, n]) for n in range(MAX_EARLY_DATAGRAMS)]
    await agent.close()


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00",
        bytes(19),
        # Binding requests whose attributes are cut short, or too short.
        BINDING + b"\x00\x08" + COOKIE + b"\x00\x24\x00\x01\xff\0\0\0",
        BINDING + b"\x00\x04" + COOKIE + b"\x00\x06\xff\xff",
        BINDING + b"\x00\x08" + COOKIE + b"\x00\x06\x00\x04\xff\xff\xff\xff",
        b"\xff" * 1200,
    ],
)
async def test_what_strangers_send_is_dropped(
    connect: Connect, datagram: bytes
) -> None:
    pair: Pair = await connect()
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c))
    local = pair.server.local_ice.candidates[0]
    family = socket.AF_INET6 if ":" in local.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, (local.address, local.port))
    received: list[bytes] = []
    pair.server.on_message = lambda *message: received.append(message[2])
    pair.channel.send(b"still here")
    await until(lambda: received)
    assert not errors


@pytest.mark.parametrize(
    "datagram",
    [
        # A plain-text alert, and a handshake record of garbage.
        b"\x15\xfe\xfd" + bytes(8) + b"\0\x02\x02\x28",
        b"\x16\xfe\xfd" + bytes(8) + b"\0\x20" + b"\xaa" * 32,
    ],
)
async def test_strangers_cannot_spoil_a_handshake(
    certificate: Certificate, datagram: bytes
) -> None:
    """DTLS has no password yet when it begins; only who passed a check is heard."""
    client, server = Peer(PeerOptions(certificate)), Peer(PeerOptions(certificate))
    channel = client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    answer = await server.answer(parse_offer(client.localDescription.sdp))
    agent = server.transport.connection
    dropped = []
    receive = IceSocket.datagram_received
    for local in agent.agent.local_candidates:
        family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as stranger:
            stranger.bind((local.host, 0))
            stranger.sendto(datagram, (local.host, local.port))
            address = stranger.getsockname()[:2]
        for protocol in agent.agent.sockets:
            assert isinstance(protocol, IceSocket)
            receive(protocol, datagram, address)
            dropped.append(agent._queue.qsize())
    assert set(dropped) == {0}
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: channel.readyState == "open")
    await client.close()
    await server.close()


def test_an_address_that_cannot_be_used_leaves_no_socket() -> None:
    with pytest.raises(OSError, match="assign"):
        bind("192.0.2.201")


def test_what_aioice_must_have() -> None:
    """The private parts that are overridden or used: a new aioice may rename them."""
    agent = connection().agent
    for name in (
        "_check_list",
        "_check_list_done",
        "_check_list_state",
        "_closing",
        "_early_checks",
        "_early_checks_done",
        "_local_candidates",
        "_nominated",
        "_protocols",
        "_remote_candidates",
    ):
        assert hasattr(agent, name), name
    for name in (
        "_add_remote_candidate",
        "_pair_remote_candidate",
        "_check_periodic",
        "_unfreeze_initial",
        "check_complete",
        "check_incoming",
        "request_received",
        "request_received",
    ):
        assert callable(getattr(Connection, name)), name
