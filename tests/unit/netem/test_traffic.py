"""Broken promises of channels are seen."""

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from tests.netem.traffic import BINARY, HEADER_SIZE, RELIABLE, STRING, Flow, Kind
from tests.netem.traffic import LimitCheck as Check

KEY = 77
UNORDERED = Kind("unordered", ordered=False)
PARTIAL = Kind("partial", max_retransmits=1)
LIFE_TIME = Kind("life time", max_packet_life_time=500)


class Sender:
    """A peer that keeps what it is to send."""

    name = "sender"

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[int, bytes]] = []
        self.host = SimpleNamespace(run=lambda callback, *args: callback(*args))

    def send_message(self, channel: object, protocol: int, data: bytes) -> bool:
        self.sent.append((protocol, data))
        return True


def flow_of(kind: Kind, count: int = 3) -> tuple[Flow, list[tuple[int, bytes]]]:
    """A flow with messages that were sent, and these."""
    sender: Any = Sender()
    flow = Flow(kind, sender, KEY)
    flow.channel = SimpleNamespace()  # type: ignore[assignment]
    for index in range(count):
        flow.send(HEADER_SIZE + 100 * index)
    return flow, sender.sent


def test_messages_in_order_keep_all_promises() -> None:
    flow, messages = flow_of(RELIABLE)
    assert [protocol for protocol, _ in messages] == [BINARY, STRING, BINARY]
    for message in messages:
        assert not flow.is_complete
        flow.receive(*message)
    assert flow.is_complete
    assert flow.received == [0, 1, 2]


def test_a_message_that_comes_twice_is_seen() -> None:
    flow, messages = flow_of(UNORDERED)
    flow.receive(*messages[1])
    flow.receive(*messages[0])
    with pytest.raises(AssertionError, match="came twice"):
        flow.receive(*messages[1])


def test_a_message_out_of_order_is_seen() -> None:
    flow, messages = flow_of(PARTIAL)
    flow.receive(*messages[1])
    with pytest.raises(AssertionError, match="0 came after 1"):
        flow.receive(*messages[0])


def test_a_gap_in_a_reliable_channel_is_seen() -> None:
    flow, messages = flow_of(RELIABLE)
    flow.receive(*messages[0])
    with pytest.raises(AssertionError, match="1 is missing"):
        flow.receive(*messages[2])


def test_a_gap_in_an_unreliable_channel_is_none() -> None:
    flow, messages = flow_of(PARTIAL)
    flow.receive(*messages[0])
    flow.receive(*messages[2])
    assert flow.received == [0, 2]


def test_other_octets_are_seen() -> None:
    flow, messages = flow_of(RELIABLE)
    flow.receive(*messages[0])
    protocol, data = messages[1]
    with pytest.raises(AssertionError, match="not the same"):
        flow.receive(protocol, data[:-1] + b"\xff")
    with pytest.raises(AssertionError, match="octets instead of"):
        flow.receive(protocol, data[:-1])
    with pytest.raises(AssertionError, match="protocol"):
        flow.receive(BINARY, data)


def test_messages_of_others_and_of_nobody_are_seen() -> None:
    flow, messages = flow_of(UNORDERED, 1)
    protocol, data = messages[0]
    with pytest.raises(AssertionError, match="another channel"):
        flow.receive(protocol, b"\1" + data[1:])
    with pytest.raises(AssertionError, match="not sent"):
        flow.receive(protocol, struct.pack("!LLL", KEY, 1, HEADER_SIZE))


# Limits (RFC 3758)


def packet(*chunks: tuple[int, int, bytes]) -> bytes:
    """An SCTP packet with DATA chunks, each with flags, a TSN and data."""
    packed = bytes(12)
    for flags, tsn, data in chunks:
        length = 16 + len(data)
        packed += struct.pack("!BBHLHHL", 0, flags, length, tsn, 1, 0, BINARY)
        packed += data + bytes(-length & 3)
    return packed


def check_of(flow: Flow) -> Check:
    return Check(lambda: flow.sender.now, {KEY: flow})


def test_chunks_may_be_retransmitted_as_often_as_the_limit_says() -> None:
    flow, messages = flow_of(PARTIAL)
    check = check_of(flow)
    parts = [(2, 0xFFFFFFFF, messages[2][1][:101]), (1, 0, messages[2][1][101:])]
    check(packet(*parts))
    check(packet(*parts))
    with pytest.raises(AssertionError, match="message 2 is retransmitted 2 times"):
        check(packet(parts[1]))
    with pytest.raises(AssertionError, match="message 2 is retransmitted 2 times"):
        check(packet(parts[0]))


def test_chunks_may_not_be_transmitted_after_their_life_time() -> None:
    flow, messages = flow_of(LIFE_TIME)
    check = check_of(flow)
    flow.sender.now = 0.5  # type: ignore[misc]
    check(packet((3, 5, messages[0][1])))
    flow.sender.now = 0.51  # type: ignore[misc]
    with pytest.raises(AssertionError, match=r"transmitted 0\.510 s after"):
        check(packet((3, 5, messages[0][1])))


def test_reliable_chunks_have_no_limit() -> None:
    flow, messages = flow_of(RELIABLE)
    check = check_of(flow)
    for _ in range(100):
        check(packet((3, 5, messages[0][1])))


def test_chunks_of_no_flow_are_left_alone() -> None:
    check = check_of(flow_of(PARTIAL)[0])
    for _ in range(10):
        check(packet((3, 5, bytes(HEADER_SIZE)), (1, 9, b"rest of something")))
        check(bytes(12) + struct.pack("!BBH", 3, 0, 16) + bytes(12))
