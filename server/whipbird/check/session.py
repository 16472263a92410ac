"""A session that the checker has opened."""

from dataclasses import dataclass

from yarl import URL

from ..sdp.candidate import Candidate
from ..sdp.fragment import write_fragment
from ..sdp.transport import IceCredentials
from .answer import Answer
from .exchange import Exchange
from .offers import LocalTransport, Shape, media_line
from .publisher import Publisher


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that a POST has opened.

    Attributes:
        exchange: that POST.
        local: this side's end, as the offer had it.
        etag: the entity tag; None when there is none.
    """

    exchange: Exchange
    url: URL
    local: LocalTransport
    shape: Shape
    answer: Answer
    etag: str | None

    def fragment(
        self, *candidates: Candidate | str, ice: IceCredentials | None = None
    ) -> bytes:
        """A body for PATCH, about the tagged section.

        Args:
            candidates: as they are, or as their text.
            ice: the credentials; by default those of the offer.
        """
        kinds = self.shape.kinds
        bundle = tuple(str(index) for index in range(len(kinds)))
        text = write_fragment(
            media_line(kinds[0]),
            "0",
            ice or self.local.ice,
            (),
            bundle=bundle,
            end_of_candidates=False,
        )
        return (text + "".join(f"a=candidate:{c}\r\n" for c in candidates)).encode()


@dataclass(slots=True)
class Connected:
    """A session over which media goes."""

    session: OpenSession
    publisher: Publisher
