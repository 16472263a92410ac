"""DTLS: the handshake under loss, what ends a connection, what does not."""

import math

import pytest
from OpenSSL import SSL

from tests.unit.transport.dtls_pair import DtlsPair
from whipbird.sdp.transport import Fingerprint
from whipbird.transport.certificate import Certificate
from whipbird.transport.dtls import (
    MAX_EARLY_DATAGRAMS,
    MAX_FINAL_RETRANSMISSIONS,
    MTU,
    DtlsState,
)

OURS, THEIRS = Certificate.generate(), Certificate.generate()

# The handshake's messages, the CCS and the alert: their record types.
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23


def pair() -> DtlsPair:
    return DtlsPair(THEIRS, OURS)


def connected() -> DtlsPair:
    made = pair()
    made.start()
    made.run()
    assert made.client.state is made.server.state is DtlsState.CONNECTED
    return made


def test_connects_without_a_timeout() -> None:
    made = pair()
    made.start()
    assert made.run() == 0.0
    assert made.at_client.connected == made.at_server.connected == 1
    assert made.client.deadline == made.server.deadline == math.inf
    assert made.at_client.sent == 2
    assert made.at_server.sent == 2


def test_datagrams_fit_the_smallest_mtu() -> None:
    made = pair()
    made.start()
    largest = 0

    def note(datagram: bytes) -> bool:
        nonlocal largest
        largest = max(largest, len(datagram))
        return False

    made.deliver(note)
    assert 400 < largest <= MTU


def test_data_goes_both_ways() -> None:
    made = connected()
    made.server.receive(made.client.send(b"to the server"), made.now)
    made.client.receive(made.server.send(b"to the client"), made.now)
    assert made.at_server.data == [b"to the server"]
    assert made.at_client.data == [b"to the client"]


def test_several_records_in_one_datagram() -> None:
    """RFC 6347 section 4.1.1: "Multiple DTLS records may be placed in a single
    datagram."
    """
    made = connected()
    both = made.client.send(b"one") + made.client.send(b"two")
    assert made.server.receive(both, made.now)
    assert made.at_server.data == [b"one", b"two"]


def test_both_sides_have_the_same_srtp_keys() -> None:
    made = connected()
    client, server = made.client.srtp(), made.server.srtp()
    assert client is not None
    assert server is not None
    packet = bytes([0x80, 96, 0, 1]) + bytes(8) + b"payload"
    assert server.unprotect_rtp(client.protect_rtp(packet)) == packet
    assert client.unprotect_rtp(server.protect_rtp(packet)) == packet


@pytest.mark.parametrize("seed", range(60))
def test_the_handshake_completes_under_loss(seed: int) -> None:
    made = pair()
    made.start()
    made.run(loss=0.3, seed=seed)
    assert made.client.state is made.server.state is DtlsState.CONNECTED
    assert made.now - 100.0 < 20


@pytest.mark.parametrize("lost", [CHANGE_CIPHER_SPEC])
def test_the_last_flight_is_retransmitted(lost: int) -> None:
    """RFC 6347 section 4.2.4: who has sent the last flight answers a repetition of the
    one before it.
    """
    made = pair()
    made.start()
    times = 3

    def is_lost(datagram: bytes) -> bool:
        nonlocal times
        if datagram[0] == lost and times:
            times -= 1
            return True
        return False

    made.deliver(is_lost)
    assert made.server.state is DtlsState.CONNECTED
    assert made.client.state is DtlsState.CONNECTING
    while made.client.state is DtlsState.CONNECTING:
        made.now = made.client.deadline
        made.client.handle_timeout(made.now)
        made.deliver(is_lost)
    assert made.client.state is DtlsState.CONNECTED


def test_retransmissions_of_the_last_flight_are_bounded() -> None:
    made = pair()
    made.start()
    flights: list[bytes] = []

    def note(datagram: bytes) -> bool:
        if datagram[0] == HANDSHAKE and len(datagram) > 400:
            flights.append(datagram)
        return False

    made.deliver(note)
    assert made.server.state is DtlsState.CONNECTED
    before = made.at_server.sent
    for _ in range(10 * MAX_FINAL_RETRANSMISSIONS):
        made.server.receive(flights[-1], made.now)
    assert made.at_server.sent - before == MAX_FINAL_RETRANSMISSIONS


def test_a_handshake_that_nobody_answers_ends() -> None:
    made = pair()
    made.client.start(made.now)
    while made.client.deadline < math.inf:
        made.now = made.client.deadline
        made.client.handle_timeout(made.now)
    assert made.client.state is DtlsState.FAILED
    assert made.at_client.failures == ["the DTLS handshake was not answered"]
    assert 15 < made.now - 100 < 60


def test_an_early_timeout_is_harmless() -> None:
    made = pair()
    made.client.start(made.now)
    sent = made.at_client.sent
    made.client.handle_timeout(made.now)
    assert made.at_client.sent == sent


def test_a_short_round_trip_makes_retransmission_quick() -> None:
    made = pair()
    made.client.start(made.now, rtt=0.001)
    assert made.client.deadline - made.now == pytest.approx(0.1)


def test_the_first_flight_may_come_before_the_start() -> None:
    made = pair()
    made.client.start(made.now)
    made.deliver()
    assert made.at_server.sent == 0
    made.server.start(made.now)
    made.run()
    assert made.server.state is DtlsState.CONNECTED


def test_data_that_comes_before_the_handshake_is_complete_is_bounded() -> None:
    """It may have overtaken the last flight; or nobody's handshake is under way."""
    made = pair()
    made.start()
    early = bytes((DATA, 254, 253)) + bytes(8) + (1000).to_bytes(2, "big") + bytes(1000)
    for _ in range(10 * MAX_EARLY_DATAGRAMS):
        assert not made.server.receive(early, made.now)
    assert len(made.server._early) == MAX_EARLY_DATAGRAMS
    made.run()
    assert made.server.state is DtlsState.CONNECTED
    assert not made.server._early
    made.server.receive(made.client.send(b"data"), made.now)
    assert made.at_server.data == [b"data"]


def test_a_client_that_has_not_begun_takes_nothing() -> None:
    """What comes is for another session of its path."""
    made = pair()
    assert not made.client.receive(bytes((HANDSHAKE,)) + bytes(100), made.now)


def test_early_datagrams_are_bounded() -> None:
    made = pair()
    record = bytes([HANDSHAKE, 0xFE, 0xFD]) + bytes(60)
    for _ in range(3 * MAX_EARLY_DATAGRAMS):
        made.server.receive(record, made.now)
    assert made.server.malformed == 2 * MAX_EARLY_DATAGRAMS


@pytest.mark.parametrize("wrong", ["client", "server"])
def test_another_certificate_than_announced_is_refused(wrong: str) -> None:
    """RFC 8122 section 6.2."""
    other = Certificate.generate().fingerprint
    made = DtlsPair(THEIRS, OURS, **{f"{wrong}_expects": (other,)})
    made.start()
    made.run()
    refusing = made.client if wrong == "client" else made.server
    assert refusing.state is DtlsState.FAILED
    side = made.at_client if wrong == "client" else made.at_server
    assert "fingerprint" in side.failures[0]
    assert side.connected == 0


def test_all_fingerprints_must_match() -> None:
    good, bad = THEIRS.fingerprint, Certificate.generate().fingerprint
    made = DtlsPair(THEIRS, OURS, server_expects=(good, bad))
    made.start()
    made.run()
    assert made.server.state is DtlsState.FAILED


def test_fingerprints_that_cannot_be_checked_are_not_enough() -> None:
    made = DtlsPair(THEIRS, OURS, server_expects=(Fingerprint("md5", "00"),))
    made.start()
    made.run()
    assert made.server.state is DtlsState.FAILED


def test_close_notify_is_a_clean_end() -> None:
    made = connected()
    made.client.close()
    made.deliver()
    assert made.at_server.closed == 1
    assert not made.at_server.failures
    assert made.server.state is DtlsState.CLOSED
    assert not made.at_client.closed
    with pytest.raises(ConnectionError):
        made.server.send(b"late")


def test_closing_twice_is_harmless() -> None:
    made = connected()
    made.client.close()
    made.client.close()
    made.server.handle_timeout(made.now)
    assert made.at_client.sent == 3


@pytest.mark.parametrize("first", [20, 21, 22, 23, 24, 40, 63])
@pytest.mark.parametrize("length", [1, 12, 13, 60, 2000])
def test_what_is_not_authentic_is_dropped(first: int, length: int) -> None:
    made = connected()
    for epoch in (0, 1, 2):
        record = bytes([first, 0xFE, 0xFD, 0, epoch]) + bytes(6)
        record += max(0, length - 13).to_bytes(2) + bytes(max(0, length - 13))
        made.server.receive(record[:length], made.now)
    made.server.receive(made.client.send(b"still here"), made.now)
    assert made.at_server.data == [b"still here"]
    assert made.server.state is DtlsState.CONNECTED


def test_a_record_that_cannot_be_decrypted_is_told_from_one_that_can() -> None:
    made, other = connected(), connected()
    assert not made.server.receive(other.client.send(b"another's"), made.now)
    assert made.server.receive(made.client.send(b"ours"), made.now)


def test_a_plain_text_alert_does_not_end_a_connection() -> None:
    made = connected()
    made.server.receive(b"\x15\xfe\xfd" + bytes(8) + b"\0\x02\x02\x28", made.now)
    assert made.server.state is DtlsState.CONNECTED


def test_renegotiation_ends_the_connection_with_its_reason() -> None:
    made = connected()
    ssl = made.client._ssl
    assert ssl is not None
    ssl.renegotiate()
    with pytest.raises(SSL.WantReadError):
        ssl.do_handshake()
    made.server.receive(ssl.bio_read(65536), made.now)
    assert made.server.state is DtlsState.FAILED
    assert made.at_server.failures == ["the peer began a DTLS renegotiation"]


def test_a_fatal_alert_ends_the_connection_with_its_reason() -> None:
    made = connected()
    client, server = made.client._ssl, made.server._ssl
    assert client is not None
    assert server is not None
    # A client to which renegotiation is refused gives up with a fatal alert.
    client.renegotiate()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(client.bio_read(65536))
    with pytest.raises(SSL.WantReadError):
        server.recv(65536)
    client.bio_write(server.bio_read(65536))
    with pytest.raises(SSL.Error, match="no renegotiation"):
        client.recv(65536)
    made.server.receive(client.bio_read(65536), made.now)
    assert made.server.state is DtlsState.FAILED
    assert made.at_server.failures[0].startswith("the DTLS connection is broken: ")


def test_a_handshake_without_a_common_cipher_ends_with_its_reason() -> None:
    made = pair()
    made.start()
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_cipher_list(b"AES256-GCM-SHA384")
    stranger = SSL.Connection(context)
    stranger.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        stranger.do_handshake()
    made.server.receive(stranger.bio_read(65536), made.now)
    assert made.server.state is DtlsState.FAILED
    assert made.at_server.failures == ["the DTLS handshake failed: no shared cipher"]
    assert made.at_server.wire[-1][0] == ALERT


def test_peers_share_one_context() -> None:
    assert OURS.context is OURS.context
    ciphers = SSL.Connection(OURS.context).get_cipher_list()
    # GStreamer has RSA certificates, browsers ECDSA.
    assert any(name.startswith("ECDHE-RSA") for name in ciphers)
    assert any(name.startswith("ECDHE-ECDSA") for name in ciphers)


def _forged_hello(number: int = 0) -> bytes:
    """The ClientHello of somebody else, with a message number (RFC 6347 4.2.2)."""
    other = pair()
    other.start()
    (hello,) = other.at_client.wire
    return hello[:17] + number.to_bytes(2) + hello[19:]


def _record(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + b"\xfe\xfd" + bytes(8) + len(body).to_bytes(2) + body


@pytest.mark.parametrize(
    "forged",
    [
        _forged_hello(),
        _forged_hello(1),
        _forged_hello(2),
        _record(ALERT, b"\x02\x28"),
        _record(CHANGE_CIPHER_SPEC, b"\x01"),
        _record(
            HANDSHAKE, b"\x0b\x00\x00\x14\x00\x01" + bytes(5) + b"\x14" + bytes(20)
        ),
        _record(HANDSHAKE, b"\xff" * 30),
    ],
    ids=["hello", "hello-1", "hello-2", "alert", "ccs", "certificate", "junk"],
)
def test_what_is_forged_behind_the_hello_does_not_end_the_handshake(
    forged: bytes,
) -> None:
    """Whoever forges the client's address does not see what the server sends."""
    made = pair()
    made.start()
    for hello in made.at_client.wire:
        made.server.receive(hello, made.now)
    made.at_client.wire.clear()
    made.server.receive(forged, made.now)
    made.run()
    assert made.at_server.connected == made.at_client.connected == 1
    assert not made.at_server.failures
