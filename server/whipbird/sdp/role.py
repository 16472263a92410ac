"""The role of an offerer: publisher or viewer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """The rules for offers in one protocol.

    Attributes:
        protocol: the name of the protocol.
        does: a verb for what its clients do with media.
        direction: the direction to offer, beside ``sendrecv``.
        answer: the direction in the answer.
        refused: directions that are refused.
        title: the title of the error for these.
        section: the section of the specification with this rule.
        needs_media: whether an offer with only data channels is refused.
        is_partial: whether some sections of an offer may be rejected. A publisher's
            offer is accepted as a whole or not at all (RFC 9725 section 4.4.3).
    """

    protocol: str
    does: str
    direction: str
    answer: str
    refused: tuple[str, str]
    title: str
    section: str
    needs_media: bool = False
    is_partial: bool = False


PUBLISHER = Role(
    protocol="WHIP",
    does="sends",
    direction="sendonly",
    answer="recvonly",
    refused=("recvonly", "inactive"),
    title="Nothing would be sent",
    section="RFC 9725 section 4.2",
)
VIEWER = Role(
    protocol="WHEP",
    does="receives",
    direction="recvonly",
    answer="sendonly",
    refused=("sendonly", "inactive"),
    title="Nothing would be received",
    section="draft-ietf-wish-whep-03 section 4.3.5",
    needs_media=True,
    is_partial=True,
)
