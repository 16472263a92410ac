"""Where RTP packets are written, encrypted, and sent from, several at a time."""

import pylibsrtp
from pylibsrtp._binding import ffi, lib

# Packets: more than most frames have.
SLOTS = 32
# Octets: more than an encrypted packet has, as pylibsrtp takes none above 1500.
SLOT_SIZE = 2048


class PacketBuffer:
    """Room for some packets of one viewer after another.

    Encrypting in place saves what pylibsrtp spends on copies.

    Attributes:
        slots: the room for each packet.
        lengths: of the packets that are in them now, in octets.
    """

    def __init__(self) -> None:
        memory = ffi.new("char[]", SLOTS * SLOT_SIZE)
        view = memoryview(ffi.buffer(memory))
        starts = range(0, SLOTS * SLOT_SIZE, SLOT_SIZE)
        self.slots = [view[start : start + SLOT_SIZE] for start in starts]
        self.lengths: list[int] = []
        self._memory = memory
        self._pointers = [memory + start for start in starts]
        self._length = ffi.new("int *")

    def protect(self, session: pylibsrtp.Session) -> None:
        """Encrypt the packets (RFC 3711).

        Raises:
            ConnectionError: when the session can do so no more.
        """
        protect, context = lib.srtp_protect, session._srtp[0]
        length, lengths = self._length, self.lengths
        for index, pointer in enumerate(self._pointers[: len(lengths)]):
            length[0] = lengths[index]
            if protect(context, pointer, length):
                raise ConnectionError("SRTP protect failed")
            lengths[index] = length[0]
