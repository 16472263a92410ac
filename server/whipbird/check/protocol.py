"""The protocols that are checked: their documents, and what differs in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol.

    Attributes:
        name: its name.
        document: where it is defined, for people.
        url: the beginning of the URL of a section; empty if sections have none.
        direction: the direction that clients offer.
        answered: the direction that servers answer with.
        urn: the beginning of the names of its extensions.
        sections: the titles of the sections with requirements for servers, by number.
    """

    name: str
    document: str
    url: str
    direction: str
    answered: str
    urn: str
    sections: Mapping[str, str] = field(hash=False)


WHIP = Protocol(
    name="WHIP",
    document="RFC 9725",
    url="https://www.rfc-editor.org/rfc/rfc9725#section-",
    direction="sendonly",
    answered="recvonly",
    urn="urn:ietf:params:whip:",
    sections={
        "4.1": "HTTP usage",
        "4.2": "Ingest session setup",
        "4.3": "ICE support",
        "4.3.1": "HTTP PATCH request usage",
        "4.3.2": "Trickle ICE",
        "4.3.3": "ICE restarts",
        "4.4.1": "SDP bundle",
        "4.4.2": "Single MediaStream",
        "4.4.3": "No partially successful answers",
        "4.4.4": "DTLS setup role",
        "4.4.5": "Full ICE",
        "4.5": "Load balancing and redirections",
        "4.6": "STUN/TURN server configuration",
        "4.7": "Authentication and authorization",
        "4.7.1": "Bearer token authentication",
        "4.8": "Simulcast",
        "4.9": "Protocol extensions",
        "5": "Security considerations",
    },
)

WHEP = Protocol(
    name="WHEP",
    document="draft-ietf-wish-whep-03",
    url="",
    direction="recvonly",
    answered="sendonly",
    urn="urn:ietf:params:whep:",
    sections={
        "4.1": "HTTP usage",
        "4.2": "WHEP endpoint URL discoverability",
        "4.3.1": "Server accepts client offer",
        "4.3.4": "Error conditions",
        "4.3.5": "Media direction attributes",
        "4.3.8": "Session management",
        "4.4": "Playback session termination",
        "4.5": "ICE support",
        "4.5.1": "HTTP PATCH request usage",
        "4.5.2": "Trickle ICE",
        "4.5.3": "ICE restarts",
        "4.6.1": "SDP bundle",
        "4.6.2": "Single MediaStream",
        "4.7": "Load balancing and redirections",
        "4.8": "STUN/TURN server configuration",
        "4.9": "Authentication and authorization",
        "4.9.1": "Bearer token authentication",
        "4.10": "Protocol extensions",
        "events": "Server sent events extension",
        "layers": "Video layer selection extension",
        "5": "Security considerations",
    },
)
