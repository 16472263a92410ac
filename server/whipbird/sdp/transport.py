"""The transport attributes in SDP: ICE credentials, fingerprints, candidates."""

import re
from dataclasses import dataclass

from .candidate import Candidate
from .errors import MalformedSdp, UnacceptableSdp
from .parser import Attribute, Section

# The supported hash functions and their lengths in octets (RFC 8122 section 5).
FINGERPRINT_OCTETS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}

_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_HEX_OCTETS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """The user name fragment and password of one ICE session (RFC 8445)."""

    ufrag: str
    pwd: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of a DTLS certificate (RFC 8122 section 5)."""

    algorithm: str
    value: str


def ice_credentials(*sections: Section) -> IceCredentials | None:
    """The ICE credentials of the first section that has any.

    Args:
        sections: the sections to search, the most specific first.

    Raises:
        MalformedSdp: when they do not follow the grammar.
    """
    for section in sections:
        ufrag, pwd = section.first("ice-ufrag"), section.first("ice-pwd")
        if ufrag is None and pwd is None:
            continue
        if ufrag is None or pwd is None:
            present = ufrag or pwd
            assert present is not None
            missing = "ice-ufrag" if ufrag is None else "ice-pwd"
            raise MalformedSdp(
                "Incomplete ICE credentials",
                f'"a={missing}" is missing beside "a={present.name}".',
                section="RFC 8839 section 5.4",
                line=present.line,
            )
        _check(ufrag, _UFRAG, "4 to 256 ICE characters")
        _check(pwd, _PWD, "22 to 256 ICE characters")
        return IceCredentials(ufrag.value, pwd.value)
    return None


def _check(attribute: Attribute, pattern: re.Pattern[str], form: str) -> None:
    if not pattern.fullmatch(attribute.value):
        raise MalformedSdp(
            "Malformed ICE credentials",
            f'"a={attribute.name}" must have {form} (letters, digits, "+", "/").',
            section="RFC 8839 section 5.4",
            line=attribute.line,
        )


def fingerprints(*sections: Section) -> tuple[Fingerprint, ...]:
    """The usable fingerprints of the first section that has any.

    Raises:
        MalformedSdp: when one does not follow the grammar.
        UnacceptableSdp: when all of them have unsupported hash functions.
    """
    for section in sections:
        found = list(section.all("fingerprint"))
        if not found:
            continue
        usable = []
        for attribute in found:
            algorithm, _, value = attribute.value.partition(" ")
            algorithm = algorithm.lower()
            if not _HEX_OCTETS.fullmatch(value):
                raise MalformedSdp(
                    "Malformed fingerprint",
                    '"a=fingerprint" is a hash function and its hexadecimal octets.',
                    section="RFC 8122 section 5",
                    line=attribute.line,
                )
            octets = FINGERPRINT_OCTETS.get(algorithm)
            if octets is None:
                continue
            if value.count(":") + 1 != octets:
                raise MalformedSdp(
                    "Malformed fingerprint",
                    f"A {algorithm} fingerprint has {octets} octets.",
                    section="RFC 8122 section 5",
                    line=attribute.line,
                )
            usable.append(Fingerprint(algorithm, value.upper()))
        if not usable:
            raise UnacceptableSdp(
                "Unsupported fingerprint",
                "None of the fingerprints is of a supported hash function: "
                f"{', '.join(FINGERPRINT_OCTETS)}.",
                section="RFC 8122 section 5",
                line=found[0].line,
            )
        return tuple(usable)
    return ()


def candidates(section: Section) -> tuple[Candidate, ...]:
    """The candidates of a section, usable or not.

    Raises:
        MalformedSdp: when one does not follow the grammar.
    """
    found = []
    for attribute in section.all("candidate"):
        try:
            found.append(Candidate.parse(attribute.value))
        except ValueError:
            raise MalformedSdp(
                "Malformed ICE candidate",
                '"a=candidate" is not a foundation, component, transport, priority, '
                "address, port and type.",
                section="RFC 8839 section 5.1",
                line=attribute.line,
            ) from None
    return tuple(found)
