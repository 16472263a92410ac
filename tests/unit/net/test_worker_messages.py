"""What workers tell each other, written and read."""

from hypothesis import given
from hypothesis import strategies as st

from whipbird.net.worker_messages import (
    MAX_FACTS,
    MAX_MESSAGE,
    Kind,
    read,
    read_path,
    write,
    write_datagrams,
    write_facts,
    write_path,
)

LOCAL, REMOTE = ("192.0.2.1", 8080), ("2001:db8::7", 65535)


def test_a_path_is_read_as_it_was_written() -> None:
    head = write_path(LOCAL, REMOTE)
    message = read(write(Kind.CLAIMED, 3, head))
    assert (message.kind, message.sender) == (Kind.CLAIMED, 3)
    assert read_path(message.head) == (LOCAL, REMOTE)


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=300))
def test_datagrams_come_out_as_they_went_in(sizes: list[int]) -> None:
    datagrams = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    messages = list(write_datagrams(1, write_path(LOCAL, REMOTE), datagrams))
    assert sum(count for _, count in messages) == len(datagrams)
    assert all(len(message) <= MAX_MESSAGE for message, _ in messages)
    read_again = [d for message, _ in messages for d in read(message).datagrams]
    assert read_again == datagrams


def test_datagrams_of_one_size_go_together() -> None:
    packets = [bytes(1200)] * 30 + [bytes(40)]
    ((_, count),) = write_datagrams(0, write_path(LOCAL, REMOTE), packets)
    assert count == 31


def test_many_facts_are_several_messages() -> None:
    facts = {f"198.51.100.{n}": [n, 0] for n in range(2 * MAX_FACTS + 1)}
    messages = [
        read(message) for message in write_facts(Kind.FACTS, 1, "sessions", facts)
    ]
    assert len(messages) == 3
    together = {k: v for message in messages for k, v in message.facts.items()}
    assert together == facts
    assert {message.head for message in messages} == {b"sessions"}
