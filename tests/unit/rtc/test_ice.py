"""The ICE agent: its addresses, its waits, and what strangers send to it."""

import asyncio
import socket
from types import SimpleNamespace

import ifaddr
import pytest
from aioice import Candidate, Connection
from aioice.stun import Class, Message, Method
from aiortc import RTCSessionDescription

from tests.unit.rtc.conftest import Connect, Pair
from tests.waiting import until
from whipbird.rtc import Certificate, Peer, PeerOptions, ice
from whipbird.rtc.ice import (
    MAX_EARLY_DATAGRAMS,
    MAX_REMOTE_CANDIDATES,
    HostAddresses,
    IceConnection,
    IceProtocol,
    _bind,
)
from whipbird.sdp.offer import parse_offer

BINDING = b"\x00\x01"
COOKIE = b"\x21\x12\xa4\x42" + bytes(12)

V4 = SimpleNamespace(ip="198.51.100.7")
V4_LOOPBACK = SimpleNamespace(ip="127.0.0.1")
V6 = SimpleNamespace(ip=("2001:db8::7", 0, 0))
V6_LOOPBACK = SimpleNamespace(ip=("::1", 0, 0))
V6_LINK_LOCAL = SimpleNamespace(ip=("fe80::7", 0, 2))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """A machine whose addresses the test chooses."""
    ips = [V4_LOOPBACK, V6_LOOPBACK]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [SimpleNamespace(ips=ips)])
    return ips


def test_loopback_is_offered_when_there_is_nothing_else(
    machine: list[SimpleNamespace],
) -> None:
    assert HostAddresses().current() == ["127.0.0.1", "::1"]
    machine.append(V6_LINK_LOCAL)
    assert HostAddresses().current() == ["127.0.0.1", "::1"]


def test_loopback_is_offered_beside_others_by_setting(
    machine: list[SimpleNamespace],
) -> None:
    machine.extend([V4, V6])
    assert HostAddresses().current() == ["198.51.100.7", "2001:db8::7"]
    assert HostAddresses(loopback=True).current() == [
        "198.51.100.7",
        "2001:db8::7",
        "127.0.0.1",
        "::1",
    ]


def test_addresses_are_looked_for_again_after_a_while(
    machine: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = HostAddresses()
    assert addresses.current() == ["127.0.0.1", "::1"]
    machine.append(V4)
    assert addresses.current() == ["127.0.0.1", "::1"]
    monkeypatch.setattr(ice, "ADDRESSES_LIFETIME", -1)
    assert addresses.current() == ["198.51.100.7"]


async def test_gathers_on_the_addresses_it_is_given() -> None:
    # 192.0.2.0/24 is nobody's: an address that cannot be bound is left out.
    agent = IceConnection(["127.0.0.1", "192.0.2.201"])
    await agent.gather_candidates()
    assert [c.host for c in agent.local_candidates] == ["127.0.0.1"]
    await agent.close()


async def test_credentials_have_their_length() -> None:
    """RFC 8839 section 5.4: at least 4 and 22 characters."""
    agent = IceConnection([])
    assert len(agent.local_username) >= 4
    assert len(agent.local_password) >= 22
    assert agent.local_username != IceConnection([]).local_username
    await agent.close()


async def _agents() -> tuple[IceConnection, IceConnection]:
    a, b = IceConnection(["127.0.0.1"]), IceConnection(["127.0.0.1"])
    a.ice_controlling = True
    for one, other in ((a, b), (b, a)):
        await one.gather_candidates()
        one.remote_username = other.local_username
        one.remote_password = other.local_password
    return a, b


async def test_connects_without_knowing_the_candidates_of_the_peer() -> None:
    """A peer that neither offers nor trickles any is found by its own checks."""
    a, b = await _agents()
    a.add_remote(b.local_candidates[0])
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
    a.add_remote(b.local_candidates[0])
    await asyncio.wait_for(connecting, 5)
    await a.close()
    await b.close()


async def test_checks_from_ever_new_addresses_are_bounded() -> None:
    a, b = await _agents()
    a.add_remote(b.local_candidates[0])
    await asyncio.wait_for(asyncio.gather(a.connect(), b.connect()), 5)
    message = Message(Method.BINDING, Class.REQUEST, attributes={"PRIORITY": 1})
    for port in range(1000, 1000 + 2 * MAX_REMOTE_CANDIDATES):
        protocol = b._protocols[0]
        b.check_incoming(message, ("127.0.0.1", port), protocol)
    assert len(b.verified_addresses) == MAX_REMOTE_CANDIDATES
    assert len(b.remote_candidates) == MAX_REMOTE_CANDIDATES
    await a.close()
    await b.close()


async def test_closing_ends_a_connect_that_waits() -> None:
    a, b = await _agents()
    connecting = asyncio.create_task(a.connect())
    await asyncio.sleep(0)
    await a.close()
    with pytest.raises(ConnectionError):
        await connecting
    a.add_remote(Candidate.from_sdp("1 1 udp 1 127.0.0.1 9 typ host"))
    assert not a.remote_candidates
    await b.close()


async def test_early_datagrams_are_kept_and_bounded() -> None:
    agent = IceConnection([])
    for n in range(MAX_EARLY_DATAGRAMS + 10):
        agent.data_received(bytes([22, n]), 1)
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
    local = pair.server.transport.connection.local_candidates[0]
    family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, (local.host, local.port))
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
    receive = IceProtocol.datagram_received
    for local in agent.local_candidates:
        family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as stranger:
            stranger.bind((local.host, 0))
            stranger.sendto(datagram, (local.host, local.port))
            address = stranger.getsockname()[:2]
        for protocol in agent._protocols:
            assert isinstance(protocol, IceProtocol)
            receive(protocol, datagram, address)
            dropped.append(agent._queue.qsize())
    assert set(dropped) == {0}
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: channel.readyState == "open")
    await client.close()
    await server.close()


def test_an_address_that_cannot_be_used_leaves_no_socket() -> None:
    with pytest.raises(OSError, match="assign"):
        _bind("192.0.2.201")


def test_what_aioice_must_have() -> None:
    """The private parts that are overridden or used: a new aioice may rename them."""
    agent = IceConnection([])
    for name in ("_check_list", "_check_list_state", "_nominated", "_queue"):
        assert hasattr(agent, name), name
    for name in (
        "_add_remote_candidate",
        "_pair_remote_candidate",
        "_check_periodic",
        "_unfreeze_initial",
        "check_incoming",
        "gather_candidates",
        "data_received",
        "query_consent",
    ):
        assert callable(getattr(Connection, name)), name
