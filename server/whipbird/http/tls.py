"""The certificate of HTTPS from files, which may change."""

import logging
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

logger = logging.getLogger(__name__)

# Seconds from one look at the files to the next, while connections come.
LOOK_INTERVAL = 1.0

# Forward secrecy and authenticated encryption for TLS 1.2; TLS 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class TlsError(Exception):
    """A certificate or a key cannot be used. The message says why."""


class TlsFiles:
    """The TLS context for a certificate and its key, which may be replaced.

    A new certificate is used for new connections. While the new files cannot be used,
    the old certificate stays.

    Args:
        certificate: PEM: the certificate of the server, then those of its issuers.
        key: PEM: its private key, not encrypted.

    Raises:
        TlsError: when they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._state = _state_of(*self._files)
        self._context = _load(*self._files)
        self._looked_at = time.monotonic()

    def __call__(self) -> ssl.SSLContext:
        """The context for a new connection."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_INTERVAL:
            self._looked_at = now
            self._look()
        return self._context

    def _look(self) -> None:
        """Load the files again if they have changed."""
        state = _state_of(*self._files)
        if state == self._state:
            return
        self._state = state
        try:
            self._context = _load(*self._files)
        except TlsError as error:
            logger.warning("The TLS certificate stays the old one: %s", error)
        else:
            logger.info("The TLS certificate was loaded again")


def _state_of(*files: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when files are replaced or written."""
    found: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            state = file.stat()
            found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


def _load(certificate: Path, key: Path) -> ssl.SSLContext:
    """Check the files, and load them.

    Raises:
        TlsError: when they cannot be used.
    """
    leaf = _read_certificate(certificate)
    now = datetime.now(UTC)
    if leaf.not_valid_after_utc <= now:
        raise TlsError(
            f"the certificate {certificate} has expired on "
            f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    if leaf.not_valid_before_utc > now:
        raise TlsError(
            f"the certificate {certificate} is not valid before "
            f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        )
    if _read_public_key(key) != _public(leaf.public_key()):
        raise TlsError(f"the key {key} is not that of the certificate {certificate}")
    context = new_context()
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"{certificate} and {key}: {error}") from error
    return context


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"{file}: {error.strerror or error}") from error


def _read_certificate(file: Path) -> x509.Certificate:
    """The first certificate of a file."""
    try:
        return x509.load_pem_x509_certificates(_read(file))[0]
    except ValueError as error:
        raise TlsError(f"{file} has no certificate in PEM") from error


def _read_public_key(file: Path) -> bytes:
    """The public key of the private key in a file."""
    try:
        key = serialization.load_pem_private_key(_read(file), None)
    except TypeError as error:
        raise TlsError(f"the key {file} is encrypted; decrypt it") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsError(f"{file} has no private key in PEM") from error
    return _public(key.public_key())


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def new_context() -> ssl.SSLContext:
    """A context of a server, without a certificate yet."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    return context
