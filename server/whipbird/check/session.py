"""The checker's sessions."""

from dataclasses import dataclass

from yarl import URL

from ..sdp.candidate import Candidate
from ..sdp.fragment import write_fragment
from ..sdp.transport import IceCredentials
from .answer import Answer
from .client import Client
from .exchange import Exchange
from .offers import LocalTransport, Shape


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session opened by a POST.

    Attributes:
        exchange: the POST.
        url: the URL of the session.
        local: our transport parameters in the offer.
        shape: the shape of the offer.
        answer: the parsed answer.
        etag: the entity tag; None if there is none.
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
        """The body of a PATCH for the tagged section.

        Args:
            candidates: candidates, as objects or as text.
            ice: the credentials; by default those of the offer.
        """
        bundle = tuple(str(index) for index in range(len(self.shape.kinds)))
        text = write_fragment(
            self._media_line,
            "0",
            ice or self.local.ice,
            (),
            bundle=bundle,
            end_of_candidates=False,
        )
        return (text + "".join(f"a=candidate:{c}\r\n" for c in candidates)).encode()

    @property
    def _media_line(self) -> str:
        """The value of the offer's first ``m=`` line: the tagged section's."""
        lines = self.exchange.body.decode().splitlines()
        return next(line[2:] for line in lines if line.startswith("m="))


@dataclass(slots=True, eq=False)
class Connected:
    """A session and its client, which can connect."""

    session: OpenSession
    client: Client
