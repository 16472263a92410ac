"""Writes packets of a viewer's RTP stream once more, from what is kept of its feed."""

import secrets

from ..rtp.forward_template import ForwardTemplate
from ..rtp.frame_numbers import Renumbering
from ..rtp.rewriter import Rewriting
from ..rtp.rtx import RtxStream
from .feed import Feed
from .redundancy import MAX_AGE, Redundancy
from .viewer_codecs import ViewerCodecs


class RetransmissionWriter:
    """Writes retransmissions.

    Args:
        rewriter, renumbering: those that have written the stream.
        codecs: the viewer's codecs.
        redundancy: remembers the packets of sound that were sent with redundancy.
        rtx_ssrc: the SSRC of the RTX stream.
    """

    def __init__(
        self,
        rewriter: Rewriting,
        renumbering: Renumbering,
        codecs: ViewerCodecs,
        redundancy: Redundancy,
        rtx_ssrc: int,
    ) -> None:
        self._rewriter = rewriter
        self._renumbering = renumbering
        self._codecs = codecs
        self._redundancy = redundancy
        self._rtx = RtxStream(rtx_ssrc, secrets.randbits(15))
        self._source: tuple[Feed, ForwardTemplate] | None = None

    def begin(self, feed: Feed, template: ForwardTemplate) -> None:
        """Set the feed that is forwarded now, and what makes its forwarded packets."""
        self._source = feed, template

    def end(self) -> None:
        """Write nothing more: nothing is forwarded now."""
        self._source = None

    def write(self, sequence: int, now: float) -> bytes | None:
        """Write a retransmission (RFC 4588): a new RTX packet.

        Without RTX it is the octets of the packet itself. They must be the same:
        otherwise SRTP would encrypt two texts with one key stream.

        Args:
            sequence: the packet's sequence number in the stream.
            now: the time to write as abs-send-time, in seconds.

        Returns:
            None when the packet is not kept.
        """
        rewriter, source = self._rewriter, self._source
        original = rewriter.original(sequence)
        if source is None or original is None:
            return None
        feed, template = source
        kept = feed.history.get(original)
        if kept is None:
            return None
        packet = rewriter.catch_up(template.apply(kept, now))
        payload_type = rewriter.payload_type
        rtx_type = self._codecs.rtx_types.get(payload_type)
        red_type = self._codecs.red_types.get(payload_type)
        if rtx_type is None and red_type is not None:
            if rewriter.age(sequence) >= MAX_AGE:
                # It is not known whether it was sent with redundancy.
                return None
            if (redundant := self._redundancy.find(packet)) is not None:
                return bytes(rewriter.write_again(redundant, red_type))
        data = rewriter.write_again(packet, payload_type)
        at = len(data) - len(packet.body) + packet.payload_offset
        if self._renumbering.is_needed:
            self._renumbering.apply(data, at)
        if rtx_type is None:
            return bytes(data)
        return self._rtx.wrap(data, at, rtx_type)
