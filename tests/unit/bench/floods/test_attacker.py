"""The pace of attackers, and what they send."""

import pytest

from bench.floods.attacker import attribute, candidate_lines, data_offer, paced
from bench.floods.datagrams import client_hello
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import PUBLISHER
from whipbird.transport.dtls_records import is_client_hello


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


@pytest.mark.parametrize("name", ["ice-ufrag", "ice-pwd"])
def test_offers_have_credentials_of_their_own(name: str) -> None:
    assert attribute(data_offer(), name) != attribute(data_offer(), name)
