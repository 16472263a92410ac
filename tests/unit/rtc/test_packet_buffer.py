"""Packets written, encrypted and sent several at a time."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import accumulate
from typing import cast

import pylibsrtp
import pytest
from pylibsrtp import Policy, Session
from pylibsrtp._binding import lib

from tests.rtp_packets import write_rtp
from whipbird.rtc import ice_socket
from whipbird.rtc.ice_connection import IceConnection
from whipbird.rtc.ice_socket import IceSocket, bind
from whipbird.rtc.packet_buffer import SLOT_SIZE, SLOTS, PacketBuffer

KEY = bytes(range(30))


def filled(*packets: bytes) -> PacketBuffer:
    buffer = PacketBuffer()
    buffer.lengths = [len(packet) for packet in packets]
    for slot, packet in zip(buffer.slots, packets, strict=False):
        slot[: len(packet)] = packet
    return buffer


def contents(buffer: PacketBuffer) -> list[bytes]:
    return [
        bytes(slot[:length])
        for slot, length in zip(buffer.slots, buffer.lengths, strict=False)
    ]


@pytest.mark.parametrize("count", [1, 7, SLOTS])
def test_encrypts_as_pylibsrtp_does(count: int) -> None:
    packets = [write_rtp(n, payload=bytes(100 + n)) for n in range(count)]
    buffer = filled(*packets)
    buffer.protect(Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND)))
    one = Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND))
    assert contents(buffer) == [one.protect(packet) for packet in packets]


def test_a_session_that_can_encrypt_no_more() -> None:
    """Here it may not send a packet twice."""
    session = Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND))
    filled(write_rtp()).protect(session)
    with pytest.raises(ConnectionError):
        filled(write_rtp()).protect(session)


def test_room_for_whatever_comes() -> None:
    """pylibsrtp decrypts no packet of more than 1500 octets; ours may be longer."""
    longest = 1500 + 256 + 2 + pylibsrtp.SRTP_MAX_TRAILER_LEN
    assert longest <= SLOT_SIZE
    assert SLOT_SIZE % 4 == 0


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving:
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(5)
        yield receiving


@pytest.fixture
async def sender() -> AsyncIterator[IceSocket]:
    sock = bind("127.0.0.1")
    owner = cast(IceConnection, None)
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: IceSocket(owner, sock), sock=sock
    )
    protocol.connection_lost = lambda exc: None  # type: ignore[method-assign]
    yield protocol
    protocol.transport.abort()


def received(receiver: socket.socket, count: int) -> list[bytes]:
    found = [receiver.recv(4096) for _ in range(count)]
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        found.append(receiver.recv(4096))
    return found


SIZES = [
    [500],
    [1200, 1200, 1200],
    [1200, 1200, 300],
    [300, 1200, 1200],
    [1199, 1199, 1200, 1200, 20, 1200],
    [1200] * SLOTS,
    [SLOT_SIZE] * SLOTS,  # more than one call may have
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("segments", [True, False])
async def test_each_is_a_datagram_of_its_own(
    receiver: socket.socket,
    sender: IceSocket,
    sizes: list[int],
    segments: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "_segments", sender._segments and segments)
    packets = [bytes([n]) * size for n, size in enumerate(sizes)]
    sender.send_batch(filled(*packets), receiver.getsockname())
    assert received(receiver, len(packets)) == packets


class Reluctant:
    """A socket whose buffer is full."""

    def __init__(self, sock: socket.socket, error: type[OSError]) -> None:
        self._socket = sock
        self._error = error

    def sendmsg(self, *_args: object) -> None:
        raise self._error

    def sendto(self, packet: memoryview, address: tuple[str, int]) -> None:
        if self._error is BlockingIOError:
            raise BlockingIOError
        self._socket.sendto(packet, address)


@pytest.mark.parametrize("error", [OSError, BlockingIOError])
async def test_what_the_socket_does_not_take_is_sent_in_another_way(
    receiver: socket.socket,
    sender: IceSocket,
    error: type[OSError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A path may not allow segments; a full buffer is the transport's to wait for."""
    monkeypatch.setattr(sender, "_socket", Reluctant(sender._socket, error))
    packets = [bytes([n]) * 900 for n in range(5)]
    sender.send_batch(filled(*packets), receiver.getsockname())
    assert received(receiver, 5) == packets
    assert not (sender._segments and error is OSError)


async def test_what_waits_is_counted_and_not_overtaken(
    receiver: socket.socket, sender: IceSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waiting:
        def __init__(self) -> None:
            self.sent: list[bytes] = []

        def get_write_buffer_size(self) -> int:
            return 5000

        def sendto(self, packet: bytes, _address: object) -> None:
            self.sent.append(packet)

    waiting = Waiting()
    with monkeypatch.context() as patch:
        patch.setattr(sender, "transport", waiting)
        with monkeypatch.context() as full:
            full.setattr(sender, "_socket", Reluctant(sender._socket, BlockingIOError))
            sender.send_batch(filled(b"a"), receiver.getsockname())
        assert sender.waiting == 5000
        sender.send_batch(filled(b"b", b"c"), receiver.getsockname())
    assert waiting.sent == [b"a", b"b", b"c"]
    assert sender.waiting == 0
    sender.send_batch(filled(b"d"), receiver.getsockname())
    assert received(receiver, 1) == [b"d"]


async def test_an_address_that_cannot_be_reached(sender: IceSocket) -> None:
    sender.send_batch(filled(b"a" * 9, b"b" * 9), ("255.255.255.255", 9))


def test_what_pylibsrtp_must_have() -> None:
    """Private parts that are used: a new version may rename them."""
    session = Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND))
    assert session._srtp[0]
    assert callable(lib.srtp_protect)


def test_segments_fit_into_a_call() -> None:
    """An IPv4 datagram has 65,535 octets, all headers included."""
    assert ice_socket.MAX_SEGMENTED < 65535 - 20 - 8
    totals = list(accumulate([SLOT_SIZE] * SLOTS))
    assert totals[-1] > ice_socket.MAX_SEGMENTED
