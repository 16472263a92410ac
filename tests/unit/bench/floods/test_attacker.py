"""The pace of attackers, and what they send."""

import pytest

from bench.floods.attacker import attribute, candidate_lines, data_offer, paced
from bench.floods.datagrams import client_hello
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import PUBLISHER
from whipbird.transport.certificate import Certificate
from whipbird.transport.dtls import DtlsState, DtlsTransport
from whipbird.transport.dtls_records import is_client_hello


class Answers:
    """What a DTLS server sends."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def send_record(self, datagram: bytes) -> None:
        self.records.append(datagram)

    def dtls_connected(self) -> None:
        raise AssertionError("nobody has a key")

    def dtls_data(self, data: bytes, now: float) -> None:
        raise AssertionError("nobody has a key")

    def dtls_closed(self) -> None:
        raise AssertionError("there is nothing to close")

    def dtls_failed(self, reason: str) -> None:
        raise AssertionError(reason)


async def test_the_pace_is_kept() -> None:
    times = 0

    def strike() -> None:
        nonlocal times
        times += 1

    count = await paced(strike, 1000, 0.2)
    assert count == times
    # A busy machine sends less, nothing sends more.
    assert 0 < count <= 201


async def test_a_session_that_the_server_ends_ends_the_flood() -> None:
    times = 0

    def strike() -> None:
        nonlocal times
        times += 1
        if times == 4:
            raise ConnectionError

    assert await paced(strike, 1_000_000, 20.0) == 3


def test_offers_are_valid() -> None:
    offer = parse_offer(data_offer(64), PUBLISHER)
    assert len(candidate_lines(64)) == 64
    assert attribute(data_offer(), "sctp-port") == "5000"
    assert len(offer.candidates) == 64


def test_hellos_pass_for_those_of_a_client() -> None:
    assert is_client_hello(client_hello())
    assert client_hello() != client_hello()


def test_a_server_answers_a_forged_hello() -> None:
    """Otherwise the flood would show nothing."""
    answers, certificate = Answers(), Certificate.generate()
    server = DtlsTransport(answers, certificate)
    server.configure(is_client=False, fingerprints=(certificate.fingerprint,))
    server.start(0.0)
    assert server.receive(client_hello(), 0.0)
    assert server.state is DtlsState.CONNECTING
    assert answers.records


@pytest.mark.parametrize("name", ["ice-ufrag", "ice-pwd"])
def test_offers_have_credentials_of_their_own(name: str) -> None:
    assert attribute(data_offer(), name) != attribute(data_offer(), name)
