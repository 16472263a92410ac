"""Messages that wait for their reader close the window; nothing is lost."""

from struct import pack

import pytest

from tests.unit.transport.sctp.link import Weather, connect
from whipbird.transport.sctp import MAX_MESSAGE_SIZE, DataChannel

WINDOW = 512 * 1024
COST = 256


@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize("size", [100, 16384, MAX_MESSAGE_SIZE])
def test_a_slow_reader_makes_the_peer_wait(size: int, loss: float) -> None:
    """A message larger than what is left of the window is no flood, but waits."""
    link, channel = connect(Weather(loss=loss), seed=3, limit=WINDOW)
    server = link.server.association
    unread: list[int] = []

    def keep(_channel: DataChannel, _protocol: int, data: bytes) -> None:
        unread.append(len(data) + COST)
        server.count_unread(unread[-1])

    link.server.on_message = keep
    count = max(5 * WINDOW // 2 // (size + COST), 6)
    sent = [pack("!I", n).ljust(size, b"x")[:size] for n in range(count)]
    for message in sent:
        link.client.association.send(channel, 53, message)
    link.client.flush()
    link.run(5)
    held = sum(unread)
    assert WINDOW // 2 <= held <= 2 * WINDOW
    assert server._inbound.kept <= 2 * WINDOW
    assert server._inbound.free_window <= WINDOW // 4
    assert link.server.closed == []
    link.run(5)
    assert sum(unread) <= 2 * WINDOW
    # The reader goes on, a message at a time.
    end = link.now + 600
    while len(link.server.received) < count and link.now < end:
        server.count_unread(-unread.pop(0) if unread else 0)
        link.server.flush()
        link.run(0.05)
    assert link.now < end
    assert link.server.messages() == sent
    server.count_unread(-sum(unread))
    link.settle()
    assert server._inbound.kept == 0


def test_what_is_read_after_the_end_counts_no_more() -> None:
    link, channel = connect(limit=WINDOW)
    server = link.server.association
    link.client.send(channel, b"message")
    link.until(lambda: link.server.received)
    server.count_unread(7 + COST)
    server.abort(link.now)
    assert server._inbound.kept == 7 + COST
    server.count_unread(-7 - COST)
    assert server._inbound.kept == 0
