"""The certificate of HTTPS that no authority has signed, and the file that keeps it."""

import ipaddress
import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..transport.certificate import digest
from .tls import new_context

logger = logging.getLogger(__name__)

# How long a certificate is valid, and from how long before.
LIFETIME = timedelta(days=365)
_CLOCK_SKEW = timedelta(days=1)
# How long before its end it is renewed.
RENEW_AHEAD = timedelta(days=30)

# Names in a certificate: those of networks that the machine was in before stay.
MAX_NAMES = 64

_PEM = serialization.Encoding.PEM


class SelfSigned:
    """The TLS context for a certificate of our own, for servers in a local network.

    With a file it is kept, so that people who have accepted it need not do so again. It
    is made anew when it lacks a name, and before it ends.

    Args:
        names: host names and IP addresses of the server.
        file: keeps the certificate and its key; None to make one for this process.
        clock: returns the time.

    Attributes:
        fingerprint: the SHA-256 digest of the certificate, as ``AB:CD:...``.
        problem: why the certificate is not kept; None if it is, or is not to be.
    """

    def __init__(
        self,
        names: Iterable[str],
        file: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._file = file
        self._clock = clock
        self.problem: str | None = None
        kept = None if file is None else _read(file)
        if kept is not None and self._is_good(kept[1]):
            self._use(*kept)
        else:
            self._renew(() if kept is None else _names_of(kept[1]))

    def __call__(self) -> SSLContext:
        """The context for a new connection."""
        if self._clock() >= self._renew_at:
            self._renew(())
            logger.info("The TLS certificate is new: SHA-256 %s", self.fingerprint)
        return self._context

    def _is_good(self, certificate: x509.Certificate) -> bool:
        is_complete = set(self._names) <= set(_names_of(certificate))
        return is_complete and self._clock() < _renewal_of(certificate)

    def _renew(self, older: Iterable[str]) -> None:
        """Make a certificate, for older names too, and keep it."""
        names = list(dict.fromkeys((*self._names, *older)))
        limit = max(MAX_NAMES, len(self._names))
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _make_certificate(key, names[:limit], self._clock())
        private = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem = private + certificate.public_bytes(_PEM)
        if self._file is not None:
            try:
                _write(self._file, pem)
            except OSError as error:
                self.problem = f"{self._file}: {error.strerror or error}"
        self._use(pem, certificate)

    def _use(self, pem: bytes, certificate: x509.Certificate) -> None:
        der = certificate.public_bytes(serialization.Encoding.DER)
        self.fingerprint = digest(der, "sha-256")
        self._renew_at = _renewal_of(certificate)
        # OpenSSL's context takes files only; nobody else may read this folder.
        with tempfile.TemporaryDirectory() as folder:
            both = Path(folder, "both.pem")
            both.write_bytes(pem)
            self._context = new_context()
            self._context.load_cert_chain(both)


def _read(file: Path) -> tuple[bytes, x509.Certificate] | None:
    """The kept certificate, with its key before it; None when there is none."""
    try:
        pem = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("The TLS certificate cannot be read: %s", error)
        return None
    try:
        key = serialization.load_pem_private_key(pem, None)
        certificate = x509.load_pem_x509_certificate(pem)
        if key.public_key() != certificate.public_key():
            raise ValueError("the key is another one's")
    except (ValueError, TypeError) as error:
        logger.warning("%s has no certificate that can be used: %s", file, error)
        return None
    return pem, certificate


def _write(file: Path, pem: bytes) -> None:
    """Replace a file, at once and for this user only.

    Raises:
        OSError: when it cannot be written.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # It may be read and written by its owner only.
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "wb") as opened:
            opened.write(pem)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def _renewal_of(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_after_utc - RENEW_AHEAD


def _names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return []
    return [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    ]


def _make_certificate(
    key: ec.EllipticCurvePrivateKey, names: Iterable[str], now: datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Whipbird")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(n) for n in names]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
