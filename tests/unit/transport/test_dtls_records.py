"""Records of DTLS on the wire; what cannot begin a handshake does not end it."""

import random

import pytest

from tests.unit.transport.dtls_pair import DtlsPair
from whipbird.transport.certificate import Certificate
from whipbird.transport.dtls import DtlsState
from whipbird.transport.dtls_records import RECORD_HEADER, datagrams, is_client_hello


def record(kind: int, content: bytes, epoch: int = 0) -> bytes:
    head = bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2) + bytes(6)
    return head + len(content).to_bytes(2) + content


def fragment(message: bytes, offset: int, size: int, kind: int = 1) -> bytes:
    head = bytes([kind]) + len(message).to_bytes(3) + bytes(2)
    part = message[offset : offset + size]
    return record(22, head + offset.to_bytes(3) + len(part).to_bytes(3) + part)


def test_parts_of_a_client_hello() -> None:
    message = bytes(2000)
    assert is_client_hello(fragment(message, 0, 2000))
    assert is_client_hello(fragment(message, 1100, 900))
    both = fragment(message, 0, 1100) + fragment(message, 1100, 900)
    assert is_client_hello(both)
    assert not is_client_hello(both[:-1])
    assert not is_client_hello(both + record(21, b"\x02\x28"))
    assert not is_client_hello(fragment(message, 0, 2000, kind=2))
    assert not is_client_hello(fragment(message, 0, 2000)[:-1])
    assert not is_client_hello(fragment(message, 0, 2000) + b"x")
    assert not is_client_hello(fragment(bytes(17_000), 0, 1000))
    assert not is_client_hello(record(21, b"\x02\x28"))
    assert not is_client_hello(record(22, bytes(40), epoch=1))
    assert not is_client_hello(b"")


def test_records_are_combined() -> None:
    records = [record(22, bytes(n)) for n in (400, 400, 400, 1500, 10)]
    found = list(datagrams(b"".join(records), 1200))
    assert b"".join(found) == b"".join(records)
    assert [len(d) for d in found] == [826, 413, 1513, 23]


@pytest.mark.parametrize("size", [13, 20, 60, 500, 1400, 1501, 3000, 16_000, 60_000])
def test_forged_datagrams_do_not_end_a_handshake_that_has_not_begun(size: int) -> None:
    """Anybody can send them, with the address of the client."""
    rng = random.Random(size)
    forged = [bytes([kind]) + rng.randbytes(size - 1) for kind in range(20, 64)]
    length = size - RECORD_HEADER
    forged += [record(kind, rng.randbytes(length)) for kind in range(20, 64)]
    forged += [record(kind, rng.randbytes(length), epoch=1) for kind in range(20, 64)]
    pair = DtlsPair(Certificate.generate(), Certificate.generate())
    pair.server.start(pair.now)
    for datagram in forged:
        pair.server.receive(datagram, pair.now)
    assert pair.server.state is DtlsState.CONNECTING
    pair.client.start(pair.now)
    pair.run()
    assert pair.server.state is pair.client.state is DtlsState.CONNECTED
