"""TLS: whether clients accept the certificate."""

import asyncio
import hashlib
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
from cryptography import x509
from yarl import URL

from ..net.reach import is_local
from .finding import Finding, failed, ok, skipped, warning
from .subject import Subject

CHECK = "TLS"

# A certificate that ends within this time should have been renewed.
SOON = timedelta(days=14)

_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says.

    Attributes:
        digest: the SHA-256 digest of it.
        begins, ends: its validity.
        names: the DNS names and IP addresses that it is for.
        self_signed: whether no authority has signed it.
    """

    digest: bytes
    begins: datetime
    ends: datetime
    names: tuple[str, ...]
    self_signed: bool

    @classmethod
    def of(cls, der: bytes) -> "Facts":
        """Read a certificate.

        Raises:
            ValueError: when it is malformed.
        """
        certificate = x509.load_der_x509_certificate(der)
        return cls(
            hashlib.sha256(der).digest(),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            tuple(_names_of(certificate)),
            certificate.issuer == certificate.subject,
        )

    @property
    def shown_digest(self) -> str:
        """The digest, as browsers show it."""
        return self.digest.hex(":").upper()


async def inspect(subject: Subject) -> list[Finding]:
    """Look at the certificate; over plain HTTP at whether there should be one."""
    subject.fingerprint = subject.options.fingerprint
    if subject.url.scheme != "https":
        target = await _redirection(subject)
        if target is None:
            return [judge_plain(subject.host, subject.addresses)]
        subject.url = target
    try:
        der, problem = await _fetch(subject)
        facts = Facts.of(der)
    except (OSError, TimeoutError, ValueError) as error:
        subject.stopped = "there is no TLS"
        return [
            failed(
                CHECK,
                f"port {subject.port} does not speak TLS as it should "
                f"({str(error) or 'it does not answer'})",
                "Is it the port of HTTPS? Whipbird needs --tls-cert and --tls-key, or "
                "--tls-self-signed; or try http:// instead.",
            )
        ]
    expected = subject.options.fingerprint
    finding = judge(facts, problem, subject.host, datetime.now(UTC), expected)
    if expected is not None and expected != facts.digest:
        subject.stopped = "it has another certificate than expected"
    elif problem is not None and expected is None:
        if subject.options.token is not None:
            subject.stopped = (
                "the token is not sent to a server whose certificate is not trusted; "
                "give --tls-fingerprint"
            )
        # The same server from here on, whoever it is.
        subject.fingerprint = facts.digest
    return [finding]


def judge_plain(host: str, addresses: Iterable[str]) -> Finding:
    """Judge plain HTTP."""
    if host == "localhost" or all(_is_loopback(a) for a in addresses):
        return skipped(CHECK, "plain HTTP, which is as good as HTTPS on this machine")
    if all(map(is_local, addresses)):
        advice = "In a local network, --tls-self-signed does."
    else:
        advice = "Give --tls-cert and --tls-key, or put a proxy with HTTPS in front."
    return warning(
        CHECK,
        "plain HTTP: browsers let pages use the camera and the microphone over HTTPS "
        "only, and others can read tokens",
        advice,
    )


def judge(
    facts: Facts,
    problem: str | None,
    host: str,
    now: datetime,
    expected: bytes | None = None,
) -> Finding:
    """Judge a certificate.

    Args:
        problem: why OpenSSL does not trust it; None if it does.
        expected: the digest that the user has given.
    """
    if expected is not None and expected != facts.digest:
        return failed(
            CHECK,
            "another certificate than the one of --tls-fingerprint: its SHA-256 digest "
            f"is {facts.shown_digest}",
            "Compare it with what the server prints at its start.",
        )
    if facts.ends <= now:
        return failed(
            CHECK,
            f"the certificate has expired on {_shown(facts.ends)}",
            "Renew it; Whipbird loads a file that changes by itself.",
        )
    if facts.begins > now:
        return failed(
            CHECK,
            f"the certificate is not valid before {_shown(facts.begins)}",
            "Is the clock of this machine right?",
        )
    if expected is None and problem is not None:
        return _judge_untrusted(facts, problem, host)
    valid = f"the certificate is valid until {_shown(facts.ends)}"
    if facts.ends - now < SOON:
        days = (facts.ends - now).days
        left = f"{days} days" if days != 1 else "1 day"
        return warning(
            CHECK,
            f"{valid}, for another {left}",
            "Renew it; Whipbird loads a file that changes by itself.",
        )
    how = "the one of --tls-fingerprint" if expected else f"for {host}"
    return ok(CHECK, f"{valid}, {how}")


def _judge_untrusted(facts: Facts, problem: str, host: str) -> Finding:
    if not any(_is_for(name, host) for name in facts.names):
        named = ", ".join(facts.names[:_MAX_NAMED]) or "no name at all"
        return failed(
            CHECK,
            f"the certificate is for {named}, and not for {host}",
            f"Use one of these names, or get a certificate for {host}.",
        )
    if facts.self_signed:
        return failed(
            CHECK,
            f"the certificate is self-signed: SHA-256 {facts.shown_digest}",
            "Browsers warn of it, and OBS refuses it. If the server prints the same "
            "digest, give it with --tls-fingerprint.",
        )
    return failed(
        CHECK,
        f"the certificate is not trusted: {problem}",
        "The file of --tls-cert needs the certificates of the issuers, too.",
    )


async def _fetch(subject: Subject) -> tuple[bytes, str | None]:
    """The certificate, and why it is not trusted; None if it is.

    Raises:
        OSError: when there is no TLS.
    """
    try:
        return await _handshake(subject, ssl.create_default_context()), None
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message or str(error)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await _handshake(subject, context), problem


async def _handshake(subject: Subject, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(subject.options.timeout):
        _, writer = await asyncio.open_connection(
            subject.host, subject.port, ssl=context
        )
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(True)
        return bytes(certificate or b"")
    finally:
        writer.close()


async def _redirection(subject: Subject) -> URL | None:
    """The HTTPS URL that plain HTTP redirects to; None when it does not."""
    try:
        async with (
            subject.http() as http,
            http.get(subject.url, allow_redirects=False) as response,
        ):
            location = response.headers.get("Location", "")
            target = subject.url.join(URL(location))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None  # ``requests`` says why
    is_redirection = 300 <= response.status < 400
    return target if is_redirection and target.scheme == "https" else None


def _names_of(certificate: x509.Certificate) -> Iterable[str]:
    try:
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return
    yield from names.get_values_for_type(x509.DNSName)
    yield from map(str, names.get_values_for_type(x509.IPAddress))


def _is_for(name: str, host: str) -> bool:
    """Whether a certificate's name is that of a host (RFC 9525 section 6.3)."""
    name, host = name.lower(), host.lower()
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return name == host


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
