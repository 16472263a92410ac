"""Whether the compiled packet path is used, and what of it."""

import importlib
import os
from collections.abc import Sequence
from typing import Any, Literal, cast

from ..rtp.forward_template import ForwardedPacket
from ..rtp.rewriter import Rewriting
from .compiled import Compiled, Outlet, Socket, SrtpSender, Unsent

MODULE = "whipbird_native"

# The interface that is expected; another build than this one's is not used.
INTERFACE = 2

# Threads that send to the viewers of a stream, at most: beyond that they wait for each
# other in the kernel.
MAX_THREADS = 4


class NativeError(Exception):
    """The compiled packet path is not there. The message says what to do."""


class Native:
    """The compiled packet path.

    Args:
        compiled: the module.
    """

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        # The state is in compiled memory, the logic is the same.
        self._rewriter = type(
            "NativeRewriter", (Rewriting, compiled.StreamState), {"__slots__": ()}
        )

    def rewriter(
        self, ssrc: int, *, sequence: int, timestamp: int, outlet: Outlet
    ) -> Rewriting:
        """A ``Rewriter`` that ``fan_out`` takes.

        Args:
            outlet: where the packets of the stream go.
        """
        made = cast(Any, self._rewriter)(ssrc, sequence=sequence, timestamp=timestamp)
        made.outlet = outlet
        return cast(Rewriting, made)

    def outlet(self) -> Outlet:
        """Where a viewer's packets go; nowhere at first."""
        return self._compiled.Outlet()

    def socket(self, descriptor: int, *, segments: bool, unsent: Unsent) -> Socket:
        """A UDP socket that outlets may use.

        Args:
            unsent: takes what the kernel does not take.
        """
        return self._compiled.Socket(descriptor, segments, unsent)

    def srtp_sender(self, key: bytes, salt: bytes) -> SrtpSender:
        """The sender's SRTP context of an association.

        Args:
            key, salt: the master key and salt (RFC 3711), of 16 or 32 and 12 octets for
                AES-GCM, of 16 and 14 for AES-CM with HMAC-SHA1-80.

        Raises:
            ValueError: for other lengths.
        """
        return self._compiled.SrtpSender(key, salt)

    def fan_out(
        self,
        packets: Sequence[ForwardedPacket],
        streams: Sequence[Rewriting | None],
        now: float,
    ) -> Sequence[int]:
        """Rewrite, encrypt and send packets for many viewers, without the GIL.

        Args:
            streams: each viewer's, as made by ``rewriter``; None for a viewer whose
                packets need more.
            now: the time, in seconds.

        Returns:
            The indexes of the viewers that were not sent anything, and have to be: they
            have no connection, one over TCP, or a socket that takes nothing now.
        """
        threads = 1
        if len(streams) > 1:
            threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
        return self._compiled.fan_out(list(packets), list(streams), now, threads)

    def send_reports(
        self, reports: Sequence[tuple[Rewriting, int, bytes]], ntp_timestamp: int
    ) -> Sequence[int]:
        """Write, encrypt and send sender reports, without the GIL.

        Args:
            reports: for each the stream, its RTP timestamp at the time of the report,
                and the RTCP packets that follow; those of one viewer together.
            ntp_timestamp: the same time, in 2**-32 s.

        Returns:
            The indexes of those that were not sent, and have to be (see ``fan_out``).
        """
        return self._compiled.send_reports(list(reports), ntp_timestamp)


def find_native(choice: Literal["auto", "on", "off"]) -> Native | None:
    """The compiled packet path, if it is there and wanted.

    Raises:
        NativeError: when it must be there, and is not.
    """
    if choice == "off":
        return None
    try:
        compiled = cast(Compiled, importlib.import_module(MODULE))
    except ImportError as error:
        if choice == "auto":
            return None
        raise NativeError(
            f"the compiled packet path cannot be loaded ({error}); build it with "
            "make native, or leave out --native on"
        ) from error
    if compiled.INTERFACE != INTERFACE:
        if choice == "auto":
            return None
        raise NativeError(
            "the compiled packet path is of another version; build it again with make "
            "native, or leave out --native on"
        )
    return Native(compiled)
