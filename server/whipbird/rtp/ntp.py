"""NTP timestamps (RFC 3550 section 4): 64 bits, in 2**-32 s since 1900."""

import time

# Seconds from NTP's epoch, 1900, to 1970 (RFC 8877 section 3.4).
_EPOCH = 2_208_988_800


def ntp_now() -> int:
    """The wall clock's time: sources of several machines are compared by it."""
    return int((time.time() + _EPOCH) * (1 << 32))


def short_ntp(ntp_timestamp: int) -> int:
    """The middle 32 bits of an NTP timestamp, in 1/65536 s."""
    return ntp_timestamp >> 16 & 0xFFFFFFFF
