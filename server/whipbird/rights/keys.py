"""The keys that verify JSON Web Tokens (RFC 7517), from a file or a URL."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .inquiry import Unanswered
from .rules import RulesError

logger = logging.getLogger(__name__)

# Octets of a secret: as many as its hash has (RFC 7518 section 3.2).
MIN_SECRET = 32
# Bits of an RSA key (RFC 7518 section 3.3).
MIN_RSA = 2048
# Octets and keys of a set that are read.
MAX_SIZE = 256 * 1024
MAX_KEYS = 64

# Seconds for which keys of a URL are used before they are fetched again, for which they
# are used if that fails, from one attempt to the next, and that one may take.
LIFETIME = 300.0
STALE = 3600.0
RETRY = 15.0
TIMEOUT = 5.0

_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True)
class Key:
    """A key, and the algorithms for which it is: those of its own type alone.

    So a public key is never taken for the secret of an HMAC.
    """

    key: Any
    algorithms: tuple[str, ...]
    kid: str | None = None


class Keys(Protocol):
    """Finds the key of a token."""

    async def find(self, kid: str | None) -> Key | None:
        """The key with an id; without an id the only key, if there is only one.

        Raises:
            Unanswered: when the keys cannot be had now.
        """

    def reload(self) -> None:
        """Read the keys again.

        Raises:
            RulesError: when they cannot be read; the keys stay as they were.
        """


class KeyFile:
    """Keys in a file: a PEM public key, a set of keys in JSON, or a secret.

    Raises:
        RulesError: when it contains none of these.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys: tuple[Key, ...] = ()
        self.reload()

    async def find(self, kid: str | None) -> Key | None:
        if len(self._keys) == 1 and self._keys[0].kid is None:
            return self._keys[0]
        return _find(self._keys, kid)

    def reload(self) -> None:
        try:
            with self._file.open("rb") as opened:
                data = opened.read(MAX_SIZE + 1)
            self._keys = _read(data)
        except OSError as error:
            raise RulesError(f"{self._file}: {error.strerror or error}") from None
        except ValueError as error:
            raise RulesError(f"{self._file}: {error}") from None


class KeyUrl:
    """A set of keys at a URL, fetched when it is needed, and kept for some time.

    Args:
        http: returns the HTTP session for it.
        url: the URL.
        clock: returns seconds.
    """

    def __init__(
        self,
        http: Callable[[], aiohttp.ClientSession],
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None) -> Key | None:
        if self._age(self._fetched) >= LIFETIME:
            await self._fetch()
        found = _find(self._keys, kid)
        if found is None and kid is not None:
            # The issuer may have a new one.
            await self._fetch()
            found = _find(self._keys, kid)
        if self._age(self._fetched) >= STALE:
            raise Unanswered("the keys of tokens cannot be fetched")
        return found

    def reload(self) -> None:
        self._fetched = self._tried = None

    def _age(self, since: float | None) -> float:
        return STALE if since is None else self._clock() - since

    async def _fetch(self) -> None:
        """Fetch the keys, unless that was tried a moment ago."""
        async with self._fetching:
            if self._age(self._tried) < RETRY:
                return
            self._tried = self._clock()
            try:
                self._keys = _read_set(await _get(self._http(), self._url))
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                logger.error("No keys of tokens from %s: %s", self._url, error)
            else:
                self._fetched = self._clock()


async def _get(http: aiohttp.ClientSession, url: str) -> bytes:
    """Get a body of bounded size.

    Raises:
        aiohttp.ClientError, TimeoutError, ValueError: when there is none.
    """
    async with (
        asyncio.timeout(TIMEOUT),
        http.get(url, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise ValueError(f"the response has the status {response.status}")
        data = b""
        async for part in response.content.iter_chunked(65_536):
            data += part
            if len(data) > MAX_SIZE:
                raise ValueError(f"the response has more than {MAX_SIZE} octets")
        return data


def _find(keys: Sequence[Key], kid: str | None) -> Key | None:
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.kid == kid), None)


def _read(data: bytes) -> tuple[Key, ...]:
    """The keys in a file.

    Raises:
        ValueError: when there are none.
    """
    if len(data) > MAX_SIZE:
        raise ValueError(f"it has more than {MAX_SIZE} octets")
    text = data.strip()
    if text.startswith(b"{"):
        return _read_set(text)
    if text.startswith(b"-----BEGIN"):
        try:
            return (_key(load_pem_public_key(text)),)
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from None
    return (_key(text),)


def _read_set(data: bytes) -> tuple[Key, ...]:
    """The keys of a set (RFC 7517 section 5) that can verify signatures.

    Raises:
        ValueError: when there are none.
    """
    try:
        document = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it is not a set of keys (RFC 7517 section 5)")
    keys = []
    for entry in listed[:MAX_KEYS]:
        try:
            keys.append(_of_set(entry))
        except (ValueError, TypeError, KeyError, jwt.PyJWTError):
            continue  # a key of a kind that is unknown here (RFC 7517 section 5)
    if not keys:
        raise ValueError("there is no key in it that can verify tokens")
    return tuple(keys)


def _of_set(entry: Any) -> Key:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        raise ValueError("it is not a key for signatures")
    kid, algorithm = entry.get("kid"), entry.get("alg")
    if kid is not None and not isinstance(kid, str):
        raise ValueError("its id is not a string")
    value = jwt.PyJWK(entry).key
    if hasattr(value, "public_key"):
        value = value.public_key()
    key = _key(value)
    algorithms = tuple(a for a in key.algorithms if algorithm in (None, a))
    if not algorithms:
        raise ValueError("its algorithm is not one of its type")
    return Key(key.key, algorithms, kid)


def _key(value: Any) -> Key:
    """A key with the algorithms of its type (RFC 7518 section 3.1, RFC 8037).

    Raises:
        ValueError: when it is too weak, or of another type.
    """
    match value:
        case bytes():
            if len(value) < MIN_SECRET:
                raise ValueError(f"a secret has at least {MIN_SECRET} octets")
            return Key(value, ("HS256", "HS384", "HS512"))
        case RSAPublicKey():
            if value.key_size < MIN_RSA:
                raise ValueError(f"an RSA key has at least {MIN_RSA} bits")
            names = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
            return Key(value, names)
        case EllipticCurvePublicKey() if value.curve.name in _CURVES:
            return Key(value, (_CURVES[value.curve.name],))
        case Ed25519PublicKey() | Ed448PublicKey():
            return Key(value, ("EdDSA",))
        case _:
            raise ValueError("it is not a key for RS, PS, ES, EdDSA or HS")
