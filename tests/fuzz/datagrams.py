"""Targets: what anybody can send to the UDP port, and SCTP, which a peer sends."""

import contextlib
import random
from collections.abc import Iterator

from google_crc32c import value as crc32c

from tests.fuzz.records import join, split
from tests.unit.transport.sctp.link import End, Link, chunks_of, connect
from tests.unit.transport.sctp.packets import chunk, data, packet, sack
from whipbird.transport import stun as stun_messages
from whipbird.transport.dtls_records import datagrams, is_client_hello
from whipbird.transport.path import Address
from whipbird.transport.sctp import AssociationState
from whipbird.transport.sctp.acknowledger import MAX_MISORDERED
from whipbird.transport.sctp.recovery import MAX_SENT_CHUNKS
from whipbird.transport.turn import Allocation, TurnError
from whipbird.transport.turn import message as turn_messages
from whipbird.transport.turn.framing import TurnDeframer, write_channel_data

KEY = b"0123456789abcdefghijklmn"
TRANSACTION = b"fuzzfuzzfuzz"

# Octets that an association of the target may hold for its peer.
LIMIT = 65_536
# Octets of an answer for each that came, and besides: a peer cannot make us shout.
MAX_AMPLIFICATION = 3
ALLOWANCE = 20_000


def stun(octets: bytes) -> None:
    """A STUN message: nothing but ``StunError``, and nothing authentic by chance."""
    for message in (octets, _with_fingerprint(octets)):
        with contextlib.suppress(stun_messages.StunError):
            parsed = stun_messages.parse(message)
            assert parsed.is_authentic(KEY) in (True, False)
            assert not parsed.is_authentic(KEY + b"x")
            assert parsed.mapped_address is None or parsed.mapped_address[1] >= 0


def _with_fingerprint(octets: bytes) -> bytes:
    """A message whose length and fingerprint are right, which a fuzzer cannot find."""
    if len(octets) < 20:
        return octets
    body = octets[20:]
    head = octets[:2] + (len(body) + 8).to_bytes(2, "big", signed=False) + octets[4:20]
    return stun_messages._with_fingerprint(head + body)


def stun_seeds() -> Iterator[tuple[str, bytes]]:
    request = stun_messages.binding_request(
        TRANSACTION,
        username=b"abcd:efgh",
        key=KEY,
        priority=1,
        controlling=True,
        tie_breaker=7,
        nominates=True,
    )
    yield "request", request
    yield "without-fingerprint", request[:-8]
    for name, host in (("ipv4", "192.0.2.1"), ("ipv6", "2001:db8::1")):
        yield name, stun_messages.success_response(TRANSACTION, (host, 5000), KEY)
    code = stun_messages.ErrorCode.ROLE_CONFLICT
    yield "error", stun_messages.error_response(TRANSACTION, code, KEY)
    unknown = stun_messages.ErrorCode.UNKNOWN_ATTRIBUTE
    yield "unknown", stun_messages.error_response(TRANSACTION, unknown, KEY, (1, 2))


class _Turn:
    """What an allocation calls: counted."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.taken = 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def allocated(self) -> None:
        self.taken += 1

    def relayed_data(self, data: bytes, peer: Address) -> None:
        self.taken += 1

    def peer_refused(self, peer: Address, error: TurnError) -> None:
        self.taken += 1

    def ended(self, error: TurnError) -> None:
        assert str(error)


def turn(octets: bytes) -> None:
    """What a TURN server sends: nothing authentic by chance, and no storm of ours."""
    sinks = _Turn()
    allocation = Allocation(sinks, "user", "secret", rng=random.Random(1))
    allocation.start(0.0)
    for _ in range(4):
        transaction = sinks.sent[-1][8:20]
        for message in (octets, octets[:8] + transaction + octets[20:]):
            allocation.receive(message, 1.0)
    allocation.handle_timeout(100.0)
    assert not sinks.taken
    assert len(sinks.sent) <= 10
    deframer = TurnDeframer()
    with contextlib.suppress(stun_messages.StunError):
        pieces = (octets[at : at + 7] for at in range(0, len(octets), 7))
        found = b"".join(one for piece in pieces for one in deframer.feed(piece))
        assert len(found) <= len(octets)


def turn_seeds() -> Iterator[tuple[str, bytes]]:
    realm = turn_messages.attribute(stun_messages.REALM, b"realm")
    nonce = turn_messages.attribute(stun_messages.NONCE, b"nonce")
    for code in (401, 438, 486):
        error = bytes((0, 0, code // 100, code % 100)) + b"No"
        attributes = turn_messages.attribute(stun_messages.ERROR_CODE, error)
        kind = turn_messages.ALLOCATE | turn_messages.ERROR
        yield (
            f"error-{code}",
            turn_messages.request(kind, TRANSACTION, attributes + realm + nonce),
        )
    relayed = stun_messages.write_xor_address(
        turn_messages.XOR_RELAYED_ADDRESS, ("192.0.2.1", 5000), TRANSACTION
    )
    kind = turn_messages.ALLOCATE | turn_messages.SUCCESS
    yield "success", turn_messages.request(kind, TRANSACTION, relayed, KEY)
    yield "channel", write_channel_data(0x4000, b"data", padded=True)


def dtls(octets: bytes) -> None:
    """The filter in front of OpenSSL, and the records that are combined."""
    if is_client_hello(octets):
        assert b"".join(datagrams(octets, 1200)) == octets
        assert octets[0] == 22


def dtls_seeds() -> Iterator[tuple[str, bytes]]:
    for name, length, parts in (
        ("whole", 300, [(0, 300)]),
        ("parts", 300, [(0, 200), (200, 100)]),
        ("overlapping", 300, [(0, 200), (100, 200)]),
        ("one-of-two", 300, [(200, 100)]),
    ):
        found = b""
        for offset, size in parts:
            message = b"\x01" + length.to_bytes(3) + bytes(2) + offset.to_bytes(3)
            message += size.to_bytes(3) + bytes(size)
            found += b"\x16\xfe\xfd" + bytes(8) + len(message).to_bytes(2) + message
        yield name, found
    yield "alert", b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28"


# Actions of the SCTP target.
CHUNKS, RAW, WAIT, SEND = range(4)


def sctp(octets: bytes) -> None:
    """An established association, and packets of a peer that knows its secrets.

    Whatever they are, the association lives or has ended with a reason, and keeps no
    more than it may.
    """
    link, channel = connect(limit=LIMIT)
    server, client = link.server, link.client
    server.echoes = True
    # The real client is silent from now on.
    client.on_send = server.on_send = lambda _: None
    server.packets.clear()
    came = 0
    for action, content in split(octets):
        action %= 4
        association = server.association
        if action == CHUNKS:
            came += len(content)
            association.receive(packet(association, content), link.now)
        elif action == RAW:
            came += len(content)
            association.receive(_sealed(content), link.now)
        elif action == WAIT:
            link.now += int.from_bytes(content[:2]) / 1000
        elif server.opened:
            association.send(server.opened[0], 53, content or b"x")
            came += len(content)
        if association.deadline <= link.now:
            association.handle_timeout(link.now)
        else:
            server.flush()
        check_association(server)
    sent = sum(map(len, server.packets))
    assert sent <= MAX_AMPLIFICATION * came + ALLOWANCE, (sent, came)
    assert channel.id == 0


def check_association(end: End) -> None:
    """What an association keeps is bounded, and its end has a reason."""
    association = end.association
    recovery = association._recovery
    assert association._inbound.kept <= 2 * LIMIT + 262_144
    assert association._acknowledger.misordered <= MAX_MISORDERED
    assert len(recovery.board.sent) <= MAX_SENT_CHUNKS + 64
    assert 0 <= recovery.board.flight <= recovery.board.stored
    assert len(association.channels) <= 1024
    assert association._resets.pending <= 2048
    assert len(end.closed) <= 1
    assert (
        association.state is AssociationState.CLOSED
    ) == association._receiver.is_over
    if association._receiver.is_over:
        assert end.closed
        assert end.closed[0]


def _sealed(content: bytes) -> bytes:
    """A packet with any header, and the checksum that it needs."""
    head = content[:8].ljust(8, b"\0")
    rest = content[8:]
    checksum = int(crc32c(head + bytes(4) + rest)).to_bytes(4, "little")
    return head + checksum + rest


def sctp_seeds() -> Iterator[tuple[str, bytes]]:
    link, _ = connect(limit=LIMIT)
    server = link.server.association
    expected = server._resets._expected.to_bytes(4)
    tsn = server._acknowledger.cumulative
    wait = (WAIT, (3000).to_bytes(2))

    def reset(kind: int, *streams: int, ahead: int = 0) -> bytes:
        value = expected + bytes(4) + ((tsn + ahead) % 2**32).to_bytes(4)
        value += b"".join(stream.to_bytes(2) for stream in streams)
        parameter = kind.to_bytes(2) + (4 + len(value)).to_bytes(2) + value
        return chunk(130, parameter + bytes(-len(parameter) % 4))

    message = data(server, 1, b"hello", sequence=1)
    gap = data(server, 3, b"later", sequence=2)
    skip = chunk(192, ((tsn + 2) % 2**32).to_bytes(4) + b"\0\0\0\1")
    opening = data(server, 1, b"\3\0\0\0\0\0\0\0\0\3\0\0new", stream=2, protocol=50)
    first = data(server, 1, b"a" * 1000, sequence=1, flags=2)
    sequences: dict[str, list[tuple[int, bytes]]] = {
        "message": [(CHUNKS, message), wait],
        "gap": [(CHUNKS, gap), (CHUNKS, skip), wait],
        "fragment": [(CHUNKS, first), wait],
        "open": [(CHUNKS, opening), (SEND, b"x" * 3000), wait],
        "sack": [(SEND, b"y" * 5000), (CHUNKS, sack(server, 1, 65536, (2, 3)))],
        "reset": [(CHUNKS, reset(13, 0)), (CHUNKS, reset(13, 0)), wait],
        "reset-later": [(CHUNKS, reset(13, 0, ahead=1)), (CHUNKS, message)],
        "reset-all": [(CHUNKS, reset(13)), (CHUNKS, message)],
        "add-streams": [(CHUNKS, reset(17)), (CHUNKS, reset(18))],
        "heartbeat": [(CHUNKS, chunk(4, b"\0\1\0\x08abcd"))],
        "shutdown": [(CHUNKS, chunk(7, bytes(4))), (CHUNKS, chunk(14))],
        "abort": [(CHUNKS, chunk(6))],
        "unknown": [(CHUNKS, chunk(0x3F)), (CHUNKS, chunk(0xFF, b"x"))],
        "silence": [(SEND, b"z"), *[(WAIT, b"\xff\xff")] * 20],
    }
    for name, records in sequences.items():
        yield name, join(records)
    fresh = Link(limit=LIMIT)
    fresh.start()
    fresh.settle()
    handshake = [p for end in fresh.ends for p in end.packets]
    yield (
        "handshake",
        join((RAW, p[:8] + p[12:]) for p in handshake if any(chunks_of(p))),
    )
