"""The DTLS certificate of a process: its fingerprint is the server's identity."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from ..sdp.transport import Fingerprint
from .srtp import PROFILES

# Days that a certificate is valid from the start of its process on, and before it,
# for peers whose clock is behind.
LIFETIME = timedelta(days=365)
CLOCK_SKEW = timedelta(days=1)

# The hash functions of RFC 8122 that a fingerprint can be checked with.
HASHES = {
    "sha-256": hashlib.sha256,
    "sha-384": hashlib.sha384,
    "sha-512": hashlib.sha512,
}

# The peer's certificate may be ECDSA (browsers) or RSA (GStreamer).
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    b":ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
    b":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)


def digest(certificate: bytes, algorithm: str) -> str:
    """The fingerprint of a certificate as SDP writes it (RFC 8122 section 5).

    Args:
        certificate: in DER.
        algorithm: a member of ``HASHES``.
    """
    return HASHES[algorithm](certificate).digest().hex(":").upper()


class Certificate:
    """A self-signed certificate, and the OpenSSL context that many peers share.

    A key, a certificate and a context for each peer would cost milliseconds of its
    setup and most of its memory.

    Attributes:
        context: makes the DTLS connections.
        fingerprint: the SHA-256 digest, which an offer or answer states.
    """

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        octets = certificate.public_bytes(Encoding.DER)
        self.fingerprint = Fingerprint("sha-256", digest(octets, "sha-256"))
        self.context = _context(key, certificate)

    @classmethod
    def generate(cls) -> "Certificate":
        """Make a key on P-256 and a certificate for it."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(16))]
        )
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + LIFETIME)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)


def _context(
    key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET)
    # Certificates are self-signed: the fingerprint in the SDP is what is checked.
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True
    )
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
    # No session is ever resumed: none need be remembered.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # A fifth of a connection's memory, which is not in use most of the time.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context
