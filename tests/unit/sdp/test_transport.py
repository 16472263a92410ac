"""ICE credentials, fingerprints and candidates of sections."""

import pytest

from tests.offers import FINGERPRINT
from whipbird.sdp.errors import MalformedSdp, UnacceptableSdp
from whipbird.sdp.parser import Section, parse_sections
from whipbird.sdp.transport import (
    Fingerprint,
    IceCredentials,
    candidates,
    fingerprints,
    ice_credentials,
)

UFRAG, PWD = "EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"


def section(*attributes: str) -> Section:
    return parse_sections("".join(f"a={attribute}\n" for attribute in attributes))


def credentials(ufrag: str = UFRAG, pwd: str = PWD) -> Section:
    return section(f"ice-ufrag:{ufrag}", f"ice-pwd:{pwd}")


def test_ice_credentials() -> None:
    assert ice_credentials(credentials()) == IceCredentials(UFRAG, PWD)


def test_ice_credentials_of_the_first_section_that_has_some() -> None:
    own, shared = credentials("mine"), credentials("ours")
    assert ice_credentials(own, shared) == IceCredentials("mine", PWD)
    assert ice_credentials(section(), shared) == IceCredentials("ours", PWD)
    assert ice_credentials(section(), section("setup:active")) is None
    assert ice_credentials() is None


@pytest.mark.parametrize("length", [4, 5, 256])
def test_ufrag_lengths(length: int) -> None:
    assert ice_credentials(credentials(ufrag="u" * length))


@pytest.mark.parametrize(
    "ufrag", ["", "abc", "u" * 257, "a b c", "\xe9\xe9\xe9\xe9", "_-=."]
)
def test_malformed_ufrag(ufrag: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        ice_credentials(credentials(ufrag=ufrag))
    assert (caught.value.line, caught.value.section) == (1, "RFC 8839 section 5.4")


@pytest.mark.parametrize("length", [22, 24, 256])
def test_pwd_lengths(length: int) -> None:
    assert ice_credentials(credentials(pwd="p" * length))


@pytest.mark.parametrize("pwd", ["", "p" * 21, "p" * 257, "p" * 22 + "!"])
def test_malformed_pwd(pwd: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        ice_credentials(credentials(pwd=pwd))
    assert (caught.value.line, caught.value.section) == (2, "RFC 8839 section 5.4")
    # Passwords do not belong into logs.
    assert "ppp" not in caught.value.detail


@pytest.mark.parametrize(
    ("given", "missing"),
    [(f"ice-ufrag:{UFRAG}", "ice-pwd"), (f"ice-pwd:{PWD}", "ice-ufrag")],
)
def test_half_of_the_credentials(given: str, missing: str) -> None:
    with pytest.raises(MalformedSdp, match=f'"a={missing}" is missing') as caught:
        ice_credentials(section("mid:0", given))
    assert caught.value.line == 2


def test_fingerprint() -> None:
    found = fingerprints(section(f"fingerprint:SHA-256 {FINGERPRINT.lower()}"))
    assert found == (Fingerprint("sha-256", FINGERPRINT),)


def test_fingerprints_of_the_first_section_that_has_some() -> None:
    own = section(f"fingerprint:sha-256 {FINGERPRINT}")
    shared = section(f"fingerprint:sha-256 {FINGERPRINT[::-1]}")
    assert fingerprints(own, shared) == (Fingerprint("sha-256", FINGERPRINT),)
    assert fingerprints(section(), own) == (Fingerprint("sha-256", FINGERPRINT),)
    assert fingerprints(section()) == ()


@pytest.mark.parametrize(
    ("algorithm", "octets"), [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)]
)
def test_hash_functions(algorithm: str, octets: int) -> None:
    value = ":".join(["AB"] * octets)
    found = fingerprints(section(f"fingerprint:{algorithm} {value}"))
    assert found == (Fingerprint(algorithm, value),)
    with pytest.raises(MalformedSdp, match=f"has {octets} octets"):
        fingerprints(section(f"fingerprint:{algorithm} {value}:CD"))


def test_unsupported_hash_functions_beside_a_supported_one() -> None:
    found = fingerprints(
        section("fingerprint:sha-1 AB:CD", f"fingerprint:sha-256 {FINGERPRINT}")
    )
    assert [fingerprint.algorithm for fingerprint in found] == ["sha-256"]


def test_unsupported_hash_functions_alone() -> None:
    with pytest.raises(UnacceptableSdp, match="sha-256, sha-384, sha-512") as caught:
        fingerprints(section("mid:0", "fingerprint:md5 AB:CD"))
    assert (caught.value.line, caught.value.section) == (2, "RFC 8122 section 5")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha-256",
        "sha-256 ",
        f"sha-256  {FINGERPRINT}",
        "sha-256 5B0EA937",
        "sha-256 5B:0E:G9",
        "sha-256 5B:0E:",
        "sha-256 5B:0",
        "sha-1 xyz",
        f"sha-256 {FINGERPRINT[:-3]}",
        f"sha-256 {FINGERPRINT} x",
    ],
)
def test_malformed_fingerprint(value: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        fingerprints(section("mid:0", f"fingerprint:{value}"))
    assert (caught.value.line, caught.value.section) == (2, "RFC 8122 section 5")


def test_candidates() -> None:
    found = candidates(
        section(
            "candidate:1 1 udp 1 192.0.2.1 5000 typ host",
            "mid:0",
            "candidate:2 1 tcp 1 name.local 9 typ host",
        )
    )
    assert [candidate.foundation for candidate in found] == ["1", "2"]
    assert candidates(section()) == ()


def test_malformed_candidate() -> None:
    with pytest.raises(MalformedSdp) as caught:
        candidates(
            section("candidate:1 1 udp 1 192.0.2.1 5000 typ host", "candidate:1 1")
        )
    assert (caught.value.line, caught.value.section) == (2, "RFC 8839 section 5.1")
