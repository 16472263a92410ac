"""A WHEP client (draft-ietf-wish-whep), for viewers."""

import itertools
from typing import ClassVar

from aiortc import RTCSessionDescription

from ..rtc import Peer
from ..sdp.codecs import Codec
from ..sdp.errors import SdpError
from .errors import WhipError
from .http import PROBLEM, refusal
from .whip import SDP, WhipClient

# The status of a counter-offer (section 4.3.2).
_NOT_ACCEPTABLE = 406

# Codecs that are received as well as those of aiortc: nothing is decoded. Their payload
# types are those of Chromium, as far as they do not collide with aiortc's.
_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
_VIDEO = (
    (110, "VP9/90000", "profile-id=0"),
    (112, "VP9/90000", "profile-id=2"),
    (114, "AV1/90000", ""),
    (116, "H265/90000", ""),
    (124, "VP9/90000", "profile-id=1"),
    (126, "VP9/90000", "profile-id=3"),
)
# Surround sound: the channels, their order, and the streams that have them (RFC 7845
# section 5.1.1.2), as libopus and browsers do it.
_SURROUND = (
    (118, 6, "0,4,1,2,3,5", 4, 2),
    (119, 8, "0,6,1,2,3,4,5,7", 5, 3),
    (120, 4, "0,1,2,3", 2, 2),
    (121, 3, "0,2,1", 2, 1),
    (122, 5, "0,4,1,2,3", 3, 2),
    (123, 7, "0,4,1,2,3,5,6", 4, 3),
)


def undecoded(kind: str) -> tuple[Codec, ...]:
    """The codecs of a kind that are received as well as those of aiortc."""
    if kind == "audio":
        return tuple(
            Codec(
                number,
                f"multiopus/48000/{channels}",
                f"channel_mapping={order};num_streams={streams};coupled_streams={pairs}",
                ("nack",),
            )
            for number, channels, order, streams, pairs in _SURROUND
        )
    return tuple(
        itertools.chain.from_iterable(
            (
                Codec(number, rtpmap, fmtp, _FEEDBACK),
                Codec(number + 1, "rtx/90000", f"apt={number}", retransmits=number),
            )
            for number, rtpmap, fmtp in _VIDEO
        )
    )


class WhepClient(WhipClient):
    """A WHEP session of a client: it offers to receive audio and video.

    A counter-offer of the server is answered; then ``peer`` is another one.
    """

    protocol: ClassVar[str] = "WHEP"

    async def post(self) -> None:
        """Send the offer, and apply the answer, or answer the counter-offer.

        Raises:
            WhipError: when the server refuses, or cannot be reached.
        """
        if not self.offer:
            for kind in ("video", "audio"):
                transceiver = self.peer.addTransceiver(kind, "recvonly")
                transceiver.undecoded = undecoded(kind)
        response, text = await self._send_offer(takes=(_NOT_ACCEPTABLE,))
        if response.status != _NOT_ACCEPTABLE:
            self.location = self._location_of(response)
            self.etag = response.headers.get("ETag")
            await self._accept(response, text)
        elif response.content_type == SDP:
            self.location = self._location_of(response)
            await self._answer(text)
        elif response.content_type == PROBLEM:
            raise refusal(response, text)
        else:
            raise WhipError(
                "Not Acceptable", "the server accepts no offer like ours", 406
            )

    async def _answer(self, offer: str) -> None:
        """Answer a counter-offer (section 4.3.2).

        Raises:
            WhipError: when it cannot be used, or the server refuses the answer.
        """
        assert self.location is not None
        # A peer that has offered cannot answer.
        await self.peer.close()
        self.peer = Peer(self._options)
        self.peer.on("iceconnectionstatechange", self._ice_changed)
        try:
            await self.peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            for transceiver in self.peer.getTransceivers():
                transceiver.undecoded = undecoded(transceiver.kind)  # type: ignore[attr-defined]
            await self.peer.setLocalDescription()
        except SdpError as error:
            raise WhipError("Unusable counter-offer", error.detail, 406) from error
        self.offer, self.answer = offer, self.peer.localDescription.sdp
        response, _ = await self.http.request(
            "PATCH",
            self.location,
            data=self.answer.encode(),
            headers={"Content-Type": SDP},
        )
        self.setup.answered = self._now()
        if response.status not in (200, 204):
            raise WhipError(
                "Not a WHEP server",
                f"it took the answer with {response.status}, not with 204",
                response.status,
            )
