"""A transceiver: the sender and the receiver of one m-section."""

from typing import cast

from aiortc import RTCRtpCodecCapability, RTCRtpTransceiver

from ..sdp.codecs import Codec
from .receiver import Receiver
from .sender import Sender


class Transceiver(RTCRtpTransceiver):
    """An aiortc transceiver with readable preferences and settable results.

    Attributes:
        codec_preferences: the codecs to negotiate, most preferred first; empty for all.
        undecoded: further codecs to receive, which aiortc cannot decode.
    """

    def __init__(
        self,
        kind: str,
        receiver: Receiver,
        sender: Sender,
        direction: str = "sendrecv",
    ) -> None:
        super().__init__(kind, receiver, sender, direction)
        self.codec_preferences: tuple[RTCRtpCodecCapability, ...] = ()
        self.undecoded: tuple[Codec, ...] = ()
        self._section: str | None = None
        self._negotiated: str | None = None

    def setCodecPreferences(  # noqa: N802
        self, codecs: list[RTCRtpCodecCapability]
    ) -> None:
        """Negotiate only these codecs, most preferred first; empty for all.

        Raises:
            ValueError: when aiortc does not have one of them.
        """
        super().setCodecPreferences(codecs)
        self.codec_preferences = tuple(codecs)

    @property
    def sender(self) -> Sender:
        """The sender of its track."""
        return cast(Sender, super().sender)

    @property
    def receiver(self) -> Receiver:
        """The receiver of the other side's track."""
        return cast(Receiver, super().receiver)

    @property
    def mid(self) -> str | None:
        """The identification tag of its section; None before there is one."""
        return self._section

    @mid.setter
    def mid(self, mid: str) -> None:
        self._section = mid

    @property
    def currentDirection(self) -> str | None:  # noqa: N802
        """The direction that was negotiated; None before."""
        return self._negotiated

    @currentDirection.setter
    def currentDirection(self, direction: str) -> None:  # noqa: N802
        self._negotiated = direction
