"""JSON Web Tokens: which are valid, and what they permit."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from whipbird.rights import Action, Grant, Inquiry, JsonTokens, KeyFile, Need

NEED = Need(Action.WATCH, "live")
SECRET = b"0123456789abcdef0123456789abcdef"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return data


def claims(**more: Any) -> dict[str, Any]:
    given = {"sub": "alice", "exp": time.time() + 600, "actions": ["watch"], **more}
    return {name: value for name, value in given.items() if value is not None}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def part(value: Any) -> str:
    return base64url(json.dumps(value).encode())


def signed(given: Any, secret: bytes = SECRET) -> str:
    """A token with any claims: PyJWT would refuse to make some."""
    start = f"{part({'alg': 'HS256'})}.{part(given)}"
    return f"{start}.{base64url(hmac.digest(secret, start.encode(), hashlib.sha256))}"


async def find(keys: KeyFile, token: str | None, **options: str) -> Grant | None:
    return await JsonTokens(keys, **options).find(Inquiry(NEED, token), time.time())


def key_file(folder: Path, data: bytes) -> KeyFile:
    (folder / "key").write_bytes(data)
    return KeyFile(folder / "key")


@pytest.fixture
def rsa_file(tmp_path: Path) -> KeyFile:
    return key_file(tmp_path, pem(RSA))


@pytest.fixture
def secret_file(tmp_path: Path) -> KeyFile:
    return key_file(tmp_path, SECRET + b"\n")


@pytest.mark.parametrize(
    ("key", "data", "algorithm"),
    [
        *((SECRET, SECRET, f"HS{bits}") for bits in (256, 384, 512)),
        *((RSA, pem(RSA), f"RS{bits}") for bits in (256, 384, 512)),
        (RSA, pem(RSA), "PS256"),
        (EC, pem(EC), "ES256"),
        (ED, pem(ED), "EdDSA"),
    ],
)
@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_algorithms(
    tmp_path: Path, key: Any, data: bytes, algorithm: str
) -> None:
    token = jwt.encode(claims(), key, algorithm)
    grant = await find(key_file(tmp_path, data), token)
    assert grant is not None
    assert grant.name == "jwt alice"
    assert grant.allows(Action.WATCH, "anything")
    assert not grant.allows(Action.PUBLISH, "live")


async def test_claims(secret_file: KeyFile) -> None:
    given = claims(actions=["publish", "fly"], streams=["a-*"], sub=None)
    token = jwt.encode(given, SECRET)
    grant = await find(secret_file, token)
    assert grant is not None
    assert grant.allows(Action.PUBLISH, "a-1")
    assert not grant.allows(Action.PUBLISH, "b")
    assert grant.actions == {Action.PUBLISH}
    # Without a subject its sessions belong to this token alone.
    assert grant.name.startswith("jwt ")
    assert token not in grant.name
    # Without actions it is valid, and permits nothing.
    grant = await find(secret_file, jwt.encode(claims(actions=None), SECRET))
    assert grant is not None
    assert not grant.actions


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 32503680000},
        {"aud": "somebody"},
        {"actions": "watch"},
        {"actions": [1]},
        {"streams": ["[a-z]"]},
        {"streams": "live"},
        {"sub": "a" * 257},
        {"sub": 1},
    ],
)
async def test_wrong_claims(secret_file: KeyFile, wrong: dict[str, Any]) -> None:
    assert await find(secret_file, signed(claims())) is not None
    assert await find(secret_file, signed(claims(**wrong))) is None


async def test_issuer_and_audience(secret_file: KeyFile) -> None:
    options = {"issuer": "https://id.example", "audience": "whipbird"}
    right = {"iss": "https://id.example", "aud": ["other", "whipbird"]}
    assert await find(secret_file, signed(claims(**right)), **options)
    for name in right:
        for value in (None, "https://elsewhere.example"):
            token = signed(claims(**{**right, name: value}))
            assert await find(secret_file, token, **options) is None


async def test_forged_tokens(rsa_file: KeyFile) -> None:
    """No algorithm, the public key as a secret, another key, other claims."""
    right = jwt.encode(claims(), RSA, "RS256")
    assert await find(rsa_file, right) is not None
    header, body, signature = right.split(".")
    forged = [f"{part({'alg': alg})}.{body}." for alg in ("none", "None", "NONE")]
    forged += [
        f"{part({'alg': 'none'})}.{body}.{signature}",
        signed(claims(), pem(RSA)),
        signed(claims(), pem(RSA).strip()),
        jwt.encode(claims(), OTHER_RSA, "RS256"),
        jwt.encode(claims(), EC, "ES256"),
        f"{header}.{part(claims(actions=['admin']))}.{signature}",
        f"{header}.{body}.",
        f"{header}.{body}.{signature[:-6]}AAAAAA",
        *("", "a", "..", "a.b.c", f"{header}.{body}", right + "A" * 9000),
        *(f"{base64url(text)}.{body}.{signature}" for text in (b"1", b"[]", b"{}")),
        f"{part({'alg': 1})}.{body}.{signature}",
        f"{part({'alg': 'RS256', 'kid': 1})}.{body}.{signature}",
    ]
    for token in forged:
        assert await find(rsa_file, token) is None, token
    assert await find(rsa_file, None) is None


async def test_expiry(secret_file: KeyFile) -> None:
    now = time.time()
    tokens = JsonTokens(secret_file)
    inquiry = Inquiry(NEED, signed(claims(exp=now + 60)))
    assert await tokens.find(inquiry, now)
    assert await tokens.find(inquiry, now + 120) is None
