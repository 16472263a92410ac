"""The DTLS certificate of a process: its fingerprint is the server's identity."""

from aiortc import RTCCertificate, RTCDtlsFingerprint
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from OpenSSL import SSL

# aiortc's suites are for ECDSA certificates. As DTLS client we also meet servers
# with RSA certificates.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    b":ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
    b":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)


class Certificate(RTCCertificate):
    """A certificate that many peers share, and one OpenSSL context with it.

    Making a key, a certificate and a context for each peer costs milliseconds of its
    set-up and most of its memory.
    """

    _context: SSL.Context | None = None
    _fingerprints: list[RTCDtlsFingerprint] | None = None

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802
        """The certificate's digests, one by each hash function."""
        if self._fingerprints is None:
            self._fingerprints = super().getFingerprints()
        return self._fingerprints

    def _create_ssl_context(
        self, srtp_profiles: list[SRTPProtectionProfile]
    ) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
            self._context.set_cipher_list(_CIPHERS)
            # A fifth of a connection's memory, which is not in use most of the time.
            self._context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        return self._context
