"""Allocations on a TURN server, in virtual time."""

import hashlib
import random
from dataclasses import dataclass, field

import pytest

from whipbird.transport.path import Address
from whipbird.transport.stun import (
    ERROR_CODE,
    NONCE,
    REALM,
    USERNAME,
    XOR_MAPPED_ADDRESS,
    StunError,
    write_xor_address,
)
from whipbird.transport.turn import Allocation, TurnError
from whipbird.transport.turn import message as stun
from whipbird.transport.turn.framing import TurnDeframer, write_channel_data
from whipbird.transport.turn.message import TurnMessage, attribute

RELAYED = ("198.51.100.1", 50000)
MAPPED = ("203.0.113.9", 4242)
PEER = ("203.0.113.10", 8080)


def key_of(username: str, credential: str) -> bytes:
    return hashlib.md5(f"{username}:whipbird:{credential}".encode()).digest()


@dataclass
class Server:
    """A TURN server that answers each request when it is told to."""

    key: bytes = key_of("user", "secret")
    lifetime: int = 600
    nonce: bytes = b"first"
    requests: list[TurnMessage] = field(default_factory=list)
    channels: dict[int, Address] = field(default_factory=dict)
    refuses: tuple[int, bytes] | None = None

    def answer(self, data: bytes) -> bytes:
        request = stun.parse_message(data)
        self.requests.append(request)
        kind = request.method
        if USERNAME not in request.attributes or not request.is_authentic(self.key):
            return self.error(request, 401, b"Unauthorized")
        if request.attributes[NONCE] != self.nonce:
            return self.error(request, 438, b"Stale Nonce")
        if kind == stun.CHANNEL_BIND:
            if self.refuses:
                return self.error(request, *self.refuses)
            number = int.from_bytes(request.attributes[stun.CHANNEL_NUMBER][:2], "big")
            peer = request.address(stun.XOR_PEER_ADDRESS)
            assert peer is not None
            self.channels[number] = peer
            attributes = b""
        else:
            attributes = attribute(stun.LIFETIME, self.lifetime.to_bytes(4, "big"))
        if kind == stun.ALLOCATE:
            tid = request.transaction_id
            attributes += write_xor_address(stun.XOR_RELAYED_ADDRESS, RELAYED, tid)
            attributes += write_xor_address(XOR_MAPPED_ADDRESS, MAPPED, tid)
        return stun.request(
            kind | stun.SUCCESS, request.transaction_id, attributes, self.key
        )

    def error(self, request: TurnMessage, code: int, reason: bytes) -> bytes:
        attributes = (
            attribute(ERROR_CODE, bytes((0, 0, code // 100, code % 100)) + reason)
            + attribute(REALM, b"whipbird")
            + attribute(NONCE, self.nonce)
        )
        return stun.request(
            request.method | stun.ERROR, request.transaction_id, attributes
        )


class Client:
    """An allocation, and what has come out of it."""

    def __init__(self, credential: str = "secret", *, reliable: bool = False) -> None:
        self.sent: list[bytes] = []
        self.data: list[tuple[bytes, Address]] = []
        self.refused: list[tuple[Address, int]] = []
        self.error: TurnError | None = None
        self.is_allocated = False
        self.allocation = Allocation(
            self, "user", credential, reliable=reliable, rng=random.Random(1)
        )

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def allocated(self) -> None:
        self.is_allocated = True

    def relayed_data(self, data: bytes, peer: Address) -> None:
        self.data.append((data, peer))

    def peer_refused(self, peer: Address, error: TurnError) -> None:
        self.refused.append((peer, error.code))

    def ended(self, error: TurnError) -> None:
        self.error = error

    def exchange(self, server: Server, now: float) -> None:
        """Have the server answer all that was sent, until nothing is sent any more."""
        while self.sent:
            self.allocation.receive(server.answer(self.sent.pop(0)), now)


def allocated(server: Server, client: Client) -> Allocation:
    client.allocation.start(0.0)
    client.exchange(server, 0.1)
    assert client.is_allocated
    return client.allocation


def test_allocates_with_the_nonce_of_the_server() -> None:
    server, client = Server(), Client()
    allocation = allocated(server, client)
    assert allocation.relayed == RELAYED
    assert allocation.mapped == MAPPED
    first, second = server.requests
    assert USERNAME not in first.attributes
    assert second.attributes[USERNAME] == b"user"
    assert second.attributes[stun.REQUESTED_TRANSPORT][0] == 17


def test_wrong_credentials_are_tried_once() -> None:
    server, client = Server(), Client("another")
    client.allocation.start(0.0)
    client.exchange(server, 0.1)
    assert client.error is not None
    assert client.error.code == 401
    assert str(client.error) == "Unauthorized (401)"
    assert len(server.requests) == 2
    assert client.allocation.deadline == float("inf")


def test_a_success_that_is_not_signed_is_no_success() -> None:
    client = Client()
    client.allocation.start(0.0)
    request = stun.parse_message(client.sent[0])
    forged = stun.request(stun.ALLOCATE | stun.SUCCESS, request.transaction_id)
    client.allocation.receive(forged, 0.1)
    assert not client.is_allocated
    # It is still waited for.
    assert client.allocation.deadline == 0.5


def test_retransmits_and_gives_up() -> None:
    client = Client()
    client.allocation.start(0.0)
    times = [0.0]
    while client.error is None:
        times.append(client.allocation.deadline)
        client.allocation.handle_timeout(times[-1])
    assert times == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5]
    assert len(set(client.sent)) == 1
    assert len(client.sent) == 5
    assert str(client.error) == "it does not answer"


def test_nothing_is_retransmitted_on_a_reliable_connection() -> None:
    client = Client(reliable=True)
    client.allocation.start(0.0)
    client.allocation.handle_timeout(client.allocation.deadline)
    assert len(client.sent) == 1
    assert client.error is not None


def test_refreshes_before_the_end_and_follows_the_nonce() -> None:
    server, client = Server(), Client()
    allocation = allocated(server, client)
    assert allocation.deadline == pytest.approx(540.1)
    server.nonce = b"second"
    allocation.handle_timeout(540.1)
    client.exchange(server, 540.2)
    assert [r.method for r in server.requests[2:]] == [stun.REFRESH, stun.REFRESH]
    assert allocation.deadline == pytest.approx(1080.2)
    assert client.error is None


def test_an_allocation_that_cannot_be_refreshed_has_ended() -> None:
    server, client = Server(), Client()
    allocation = allocated(server, client)
    server.key = b"another"
    allocation.handle_timeout(541.0)
    client.exchange(server, 541.1)
    assert client.error is not None
    assert client.error.code == 401


def test_data_waits_for_its_channel() -> None:
    server, client = Server(), Client()
    allocation = allocated(server, client)
    allocation.send(b"one", PEER, 1.0)
    allocation.send(b"two", PEER, 1.0)
    (bind,) = client.sent
    client.sent.clear()
    allocation.receive(server.answer(bind), 1.1)
    ((number, peer),) = server.channels.items()
    assert peer == PEER
    assert client.sent == [
        write_channel_data(number, b"one", padded=False),
        write_channel_data(number, b"two", padded=False),
    ]
    allocation.receive(write_channel_data(number, b"back", padded=True), 1.2)
    assert client.data == [(b"back", PEER)]
    # The permission would expire after 300 seconds.
    assert allocation.deadline == pytest.approx(241.1)
    client.sent.clear()
    allocation.handle_timeout(241.1)
    client.exchange(server, 241.2)
    assert server.requests[-1].method == stun.CHANNEL_BIND
    allocation.send(b"three", PEER, 242.0)
    assert client.sent == [write_channel_data(number, b"three", padded=False)]


def test_an_address_that_is_refused_is_told_once() -> None:
    server, client = Server(refuses=(403, b"Forbidden")), Client()
    allocation = allocated(server, client)
    allocation.send(b"one", PEER, 1.0)
    client.exchange(server, 1.1)
    allocation.send(b"two", PEER, 2.0)
    assert client.refused == [(PEER, 403)]
    assert client.sent == []
    assert client.error is None


def test_addresses_of_the_other_family_are_not_sent_to() -> None:
    server, client = Server(), Client()
    allocated(server, client).send(b"one", ("2001:db8::1", 8080), 1.0)
    assert client.sent == []


def test_channels_are_bounded() -> None:
    server, client = Server(), Client()
    allocation = allocated(server, client)
    for port in range(1, 200):
        allocation.send(b"x", (PEER[0], port), 1.0)
    client.exchange(Server(refuses=(486, b"Quota")), 1.1)
    assert len(client.refused) == 64


def test_the_end_gives_the_allocation_back() -> None:
    server, client = Server(), Client()
    allocation = allocated(server, client)
    allocation.close(5.0)
    (last,) = map(stun.parse_message, client.sent)
    assert last.method == stun.REFRESH
    assert last.number(stun.LIFETIME) == 0
    assert allocation.deadline == float("inf")
    allocation.send(b"late", PEER, 6.0)
    assert len(client.sent) == 1


@pytest.mark.parametrize("reliable", [False, True])
def test_octets_in_pieces(reliable: bool) -> None:
    message = stun.request(stun.ALLOCATE, bytes(12), attribute(NONCE, b"abc"))
    stream = message + write_channel_data(0x4001, b"12345", padded=True) + message
    deframer = TurnDeframer()
    step = 1 if reliable else 7
    found = [
        one
        for start in range(0, len(stream), step)
        for one in deframer.feed(stream[start : start + step])
    ]
    data = write_channel_data(0x4001, b"12345", padded=False)
    assert found == [message, data, message]


def test_other_octets_are_no_messages() -> None:
    with pytest.raises(StunError):
        list(TurnDeframer().feed(b"\xffTTP/1.1 400 Bad Request\r\n"))


@pytest.mark.parametrize("cut", [3, 19, 23])
def test_malformed_messages_are_ignored(cut: int) -> None:
    client = Client()
    client.allocation.start(0.0)
    error = Server().answer(client.sent[0])
    client.allocation.receive(error[:cut], 0.1)
    client.allocation.receive(write_channel_data(0x4000, b"abc", padded=False)[:5], 0.1)
    assert client.error is None
    assert len(client.sent) == 1
