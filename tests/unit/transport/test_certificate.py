"""The certificate of a process, and the context that its connections share."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, NameOID

from whipbird.transport.certificate import Certificate, digest
from whipbird.transport.srtp import PROFILES


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate.generate()


def test_there_is_a_profile_that_all_browsers_have() -> None:
    """RFC 8827 section 6.5: SRTP_AES128_CM_SHA1_80 must be supported."""
    assert b"SRTP_AES128_CM_SHA1_80" in [profile.name for profile in PROFILES]


def test_every_process_has_another_identity(certificate: Certificate) -> None:
    other = Certificate.generate()
    assert other.fingerprint != certificate.fingerprint


@pytest.mark.parametrize(
    ("algorithm", "octets"), [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)]
)
def test_fingerprints_as_sdp_writes_them(algorithm: str, octets: int) -> None:
    """RFC 8122 section 5: pairs of upper-case digits between colons."""
    key = rsa.generate_private_key(65537, 2048)
    name = Name([NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    function = getattr(hashes, algorithm.replace("-", "").upper())()
    text = digest(made.public_bytes(Encoding.DER), algorithm)
    assert text == text.upper()
    assert bytes.fromhex(text.replace(":", " ")) == made.fingerprint(function)
    assert text.count(":") == octets - 1
