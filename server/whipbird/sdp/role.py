"""What an offerer is to the server: who publishes, or who watches."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """What the offers of one protocol may ask for.

    Attributes:
        protocol: its name.
        does: what its clients do.
        direction: of what is to be offered beside ``sendrecv``.
        answer: the direction of the answer.
        refused: directions with which nothing would be done.
        title: of the error when that is so.
        section: where that is said.
        needs_media: whether data channels alone are refused.
    """

    protocol: str
    does: str
    direction: str
    answer: str
    refused: tuple[str, str]
    title: str
    section: str
    needs_media: bool = False


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
)
