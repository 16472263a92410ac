"""All targets of the fuzzers: a function of octets that raises when something is wrong.

``CORPUS`` has a folder for each, with its seeds and with what was once found.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import datagrams, documents, media

CORPUS = Path(__file__).parent / "corpus"


class Target(NamedTuple):
    """One target.

    Attributes:
        run: takes an input; raises when something is wrong.
        seeds: names and octets of the inputs to begin with.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[tuple[str, bytes]]]


TARGETS: dict[str, Target] = {
    "offer": Target(documents.offer, documents.offer_seeds),
    "fragment": Target(documents.fragment, documents.fragment_seeds),
    "link": Target(documents.link, documents.link_seeds),
    "stun": Target(datagrams.stun, datagrams.stun_seeds),
    "turn": Target(datagrams.turn, datagrams.turn_seeds),
    "dtls": Target(datagrams.dtls, datagrams.dtls_seeds),
    "sctp": Target(datagrams.sctp, datagrams.sctp_seeds),
    "rtp": Target(media.rtp_packet, media.rtp_packet_seeds),
    "rtcp": Target(media.rtcp, media.rtcp_seeds),
    "red": Target(media.redundancy, media.redundancy_seeds),
    "codecs": Target(media.codecs, media.codecs_seeds),
    "srtp": Target(media.srtp, media.srtp_seeds),
    "reception": Target(media.reception, media.reception_seeds),
}


def corpus_of(name: str) -> list[Path]:
    """The kept inputs of a target."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())
