"""Data channels that measure the throughput of one direction (no I/O).

On an echoing channel as much comes back as is sent, so the slower direction hides the
other one. On a channel with this protocol each message says how large its answer is to
be: large messages with small answers measure the way to the server, small messages with
large answers the way from it.
"""

PROTOCOL = "throughput"

# The size of the answer, 32 bits, and 32 bits that the client chooses. An answer begins
# with the same octets.
HEADER_SIZE = 8
# What every peer takes (RFC 8841 section 6).
MAX_ANSWER = 65_536

_PADDING = bytes(MAX_ANSWER)


def answer_to(message: bytes, room: int) -> bytes | None:
    """The answer to a message.

    Args:
        message: its octets.
        room: octets that may still be held for the client. So a client that asks for
            more than it receives gets no answers, and holds up nothing but itself.

    Returns:
        None for a message that is none of this protocol, or when there is no room.
    """
    if len(message) < HEADER_SIZE:
        return None
    size = max(int.from_bytes(message[:4], "big"), HEADER_SIZE)
    if size > MAX_ANSWER or size > room:
        return None
    return message[:HEADER_SIZE] + _PADDING[HEADER_SIZE:size]
