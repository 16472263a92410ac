"""A buffer in which RTP packets are written, encrypted and sent, several at a time."""

import pylibsrtp
from pylibsrtp._binding import ffi, lib

# Packets in a buffer: more than most frames have.
SLOTS = 32
# Octets of a slot: more than an encrypted packet has.
SLOT_SIZE = 2048


class PacketBuffer:
    """Slots for packets, used for one viewer after another.

    Encrypting in place saves what pylibsrtp spends on copies.

    Args:
        slots: the number of slots.

    Attributes:
        slots: memory for one packet each, ``SLOT_SIZE`` octets.
        lengths: octets of the packets that are in the first slots now.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        memory = ffi.new("char[]", slots * SLOT_SIZE)
        view = memoryview(ffi.buffer(memory))
        starts = range(0, slots * SLOT_SIZE, SLOT_SIZE)
        self.slots = [view[start : start + SLOT_SIZE] for start in starts]
        self.lengths: list[int] = []
        self._memory = memory
        self._pointers = [memory + start for start in starts]
        self._length = ffi.new("int *")

    def packets(self) -> list[memoryview]:
        """The packets, each a view of its slot."""
        slots, lengths = self.slots, self.lengths
        if len(lengths) == 1:
            # Sound comes like this. A comprehension is a call of its own.
            return [slots[0][: lengths[0]]]
        return [slots[index][: lengths[index]] for index in range(len(lengths))]

    def protect(self, session: pylibsrtp.Session) -> None:
        """Encrypt the packets (RFC 3711).

        Raises:
            ConnectionError: when libsrtp refuses.
        """
        protect, context = lib.srtp_protect, session._srtp[0]
        length, lengths = self._length, self.lengths
        for index, pointer in enumerate(self._pointers[: len(lengths)]):
            length[0] = lengths[index]
            if protect(context, pointer, length):
                raise ConnectionError("SRTP protect failed")
            lengths[index] = length[0]
