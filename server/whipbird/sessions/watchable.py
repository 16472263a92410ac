"""What of a stream a viewer may watch."""

from ..sdp.codecs import Codec, best_match
from ..sdp.errors import UnacceptableSdp
from ..sdp.media import OfferedMedia
from ..sdp.offer import Offer
from ..streams import Audiences, Stream, Streams


class NothingToWatch(Exception):  # noqa: N818 - a state, not a fault
    """The stream has no publisher."""


class WrongCodecs(Exception):  # noqa: N818 - said of an offer, not of us
    """A viewer cannot decode the published audio or video.

    Attributes:
        kind: ``audio`` or ``video``.
        sent: the published codecs.
    """

    def __init__(self, kind: str, sent: tuple[Codec, ...]) -> None:
        super().__init__(kind, sent)
        self.kind = kind
        self.sent = sent


class NoSuchLayer(Exception):  # noqa: N818 - said of a request, not of us
    """The published stream has no layer with this rid.

    The message names the layers that it has.

    Args:
        rids: their rids.
    """

    def __init__(self, rids: tuple[str, ...]) -> None:
        super().__init__(
            f"The layers of the stream are {', '.join(rids)}."
            if rids
            else "The stream has only one layer, without a name."
        )


class Watchable:
    """Judges what viewers ask for by what is published now.

    Args:
        streams: the published streams.
        audiences: know what was received of them.
    """

    def __init__(self, streams: Streams, audiences: Audiences) -> None:
        self._streams = streams
        self._audiences = audiences

    def fitting(self, stream: str, offer: Offer) -> Offer:
        """The offer less the sections that cannot carry what is published now.

        Raises:
            WrongCodecs: when nothing is left that can be received.
        """
        published = self._streams.get(stream)
        if published is None:
            return offer
        wrong: WrongCodecs | None = None
        while (misfit := self._misfit(published, offer)) is not None:
            media, sent = misfit
            wrong = wrong or WrongCodecs(media.kind, sent)
            try:
                # Where sections are not bundled, another one takes its place.
                offer = offer.rejecting(media)
            except UnacceptableSdp:
                raise wrong from None
        if wrong and not any(published.codecs(m.kind) for m in offer.media):
            raise wrong
        return offer.sending_stereo() if published.sends_stereo else offer

    def _misfit(
        self, published: Stream, offer: Offer
    ) -> tuple[OfferedMedia, tuple[Codec, ...]] | None:
        """A section without any codec of its track, and the codecs of the track.

        Of a track of which nothing has been received yet, they are those of the
        publisher's offer.
        """
        for media in offer.media:
            sent = self._audiences.codecs(published.name, media.kind)
            sent = sent or published.codecs(media.kind)
            if sent and not any(best_match(codec, media.codecs) for codec in sent):
                return media, sent
        return None

    def check_layer(self, stream: str, rid: str | None) -> None:
        """Check that a stream has a layer; while it is not published, it may.

        Raises:
            NoSuchLayer: when it has not.
        """
        published = self._streams.get(stream)
        if published is not None and rid is not None and rid not in published.rids:
            raise NoSuchLayer(published.rids)
