"""Keys of tokens: which are read from files and URLs, and when."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from whipbird.outgoing import Outgoing
from whipbird.rights import KeyFile, KeyUrl, RulesError, Unanswered
from whipbird.rights.keys import LIFETIME, MAX_SIZE, RETRY, STALE

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def entry(kid: str | None, key: Any = ED, **more: Any) -> dict[str, Any]:
    made: dict[str, Any]
    match key:
        case rsa.RSAPrivateKey():
            made = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            made = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            made = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**made, **({"kid": kid} if kid is not None else {}), **more}


def text(*entries: Any) -> bytes:
    return json.dumps({"keys": entries}).encode()


def key_file(folder: Path, data: bytes) -> KeyFile:
    (folder / "keys").write_bytes(data)
    return KeyFile(folder / "keys")


async def algorithms(keys: KeyFile | KeyUrl, kid: str | None) -> tuple[str, ...] | None:
    found = await keys.find(kid)
    return None if found is None else found.algorithms


async def test_a_set_of_keys(tmp_path: Path) -> None:
    keys = key_file(
        tmp_path,
        text(
            entry("r", RSA, alg="RS256"),
            entry("e", EC),
            entry("d", use="sig"),
            entry("weak", WEAK),
            entry("encrypts", RSA, use="enc"),
            entry("confused", RSA, alg="HS256"),
            {"kty": "new", "kid": "new"},
            {"kty": "oct", "kid": "short", "k": "YWJj"},
            {},
            "text",
            None,
        ),
    )
    assert await algorithms(keys, "r") == ("RS256",)
    assert await algorithms(keys, "e") == ("ES256",)
    assert await algorithms(keys, "d") == ("EdDSA",)
    for kid in ("weak", "encrypts", "confused", "new", "short", "other", None):
        assert await algorithms(keys, kid) is None, kid


async def test_one_key_without_an_id(tmp_path: Path) -> None:
    keys = key_file(tmp_path, text(entry(None)))
    assert await algorithms(keys, None) == ("EdDSA",)
    assert await algorithms(keys, "any") == ("EdDSA",)
    keys = key_file(tmp_path, text(entry("a")))
    assert await algorithms(keys, None) == ("EdDSA",)
    assert await algorithms(keys, "b") is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "at least 32 octets"),
        (b"short", "at least 32 octets"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "keys"),
        (RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "keys"),
        (
            WEAK.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ),
            "2048 bits",
        ),
        (b"{", "keys"),
        (b"{}", "not a set of keys"),
        (text(), "no key"),
        (text({"kty": "new"}), "no key"),
        (b"{" + b" " * MAX_SIZE + b"}", "octets"),
    ],
)
def test_invalid_files(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(RulesError, match=reason):
        key_file(tmp_path, data)
    with pytest.raises(RulesError, match="No such file"):
        KeyFile(tmp_path / "none")


async def test_a_file_is_read_again(tmp_path: Path) -> None:
    keys = key_file(tmp_path, text(entry("a")))
    key_file(tmp_path, text(entry("b")))
    keys.reload()
    assert await algorithms(keys, "b")
    with pytest.raises(RulesError):
        key_file(tmp_path, b"{}")
    with pytest.raises(RulesError):
        keys.reload()
    assert await algorithms(keys, "b")


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


class Issuer:
    """A server of keys. Its requests are counted."""

    def __init__(self) -> None:
        self.status, self.body = 503, b""
        self.requests = 0

    async def handle(self, _request: web.Request) -> web.Response:
        self.requests += 1
        headers = {"Location": "/elsewhere"}
        return web.Response(body=self.body, status=self.status, headers=headers)

    def has(self, *kids: str) -> None:
        self.status, self.body = 200, text(*map(entry, kids))


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(
    issuer: Issuer, clock: Clock, outgoing: Outgoing
) -> AsyncIterator[KeyUrl]:
    app = web.Application()
    app.router.add_get("/keys", issuer.handle)
    async with TestServer(app) as server:
        yield KeyUrl(outgoing, str(server.make_url("/keys")), clock=clock)


async def test_keys_are_cached(keys: KeyUrl, issuer: Issuer, clock: Clock) -> None:
    issuer.has("a")
    found = await asyncio.gather(*(algorithms(keys, "a") for _ in range(20)))
    assert found == [("EdDSA",)] * 20
    assert issuer.requests == 1
    clock.time += LIFETIME
    assert await algorithms(keys, "a")
    assert issuer.requests == 2


async def test_a_new_key_is_fetched(keys: KeyUrl, issuer: Issuer, clock: Clock) -> None:
    """... but not for each guess."""
    issuer.has("a")
    assert await algorithms(keys, "a")
    issuer.has("b")
    for _ in range(50):
        assert await algorithms(keys, "guess") is None
    assert issuer.requests == 1
    clock.time += RETRY
    assert await algorithms(keys, "b")
    assert await algorithms(keys, "a") is None
    assert issuer.requests == 2


async def test_an_issuer_that_fails(
    keys: KeyUrl, issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Known keys are used for a time; then nobody has rights."""
    with pytest.raises(Unanswered):
        await keys.find("a")
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    issuer.has("a")
    clock.time += RETRY
    assert await algorithms(keys, "a")
    issuer.status = 500
    clock.time += STALE - 1
    assert await algorithms(keys, "a")
    clock.time += RETRY
    with pytest.raises(Unanswered):
        await keys.find("a")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{" + b" " * MAX_SIZE + b"}"),
        (302, b""),
        (204, b""),
    ],
)
async def test_what_is_no_set_of_keys(
    keys: KeyUrl, issuer: Issuer, status: int, body: bytes
) -> None:
    issuer.status, issuer.body = status, body
    with pytest.raises(Unanswered):
        await keys.find("a")
