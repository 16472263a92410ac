"""What the server signs: nobody else can, and one purpose is not another."""

import time
from typing import Any

import jwt
import pytest

from whipbird.rights import Purpose, Signed, Signer
from whipbird.rights.signer import MAX_LENGTH

SECRET = b"0123456789abcdef0123456789abcdef"
SIGNED = Signed(Purpose.WATCH, "live", 2_000_000_000, "id")


def test_it_knows_what_it_has_signed() -> None:
    """Expired or not; another server with the secret knows it too."""
    past = Signed(Purpose.WATCH, "live", 1000, "id")
    without_id = Signed(Purpose.DOWNLOAD, "a_b.mp4", 2_000_000_000)
    for signed in (SIGNED, past, without_id):
        token = Signer(SECRET).sign(signed)
        assert Signer(SECRET).read(signed.purpose, token) == signed
        assert Signer(SECRET).sign(signed) == token
        assert Signer().read(signed.purpose, token) is None


def test_one_purpose_is_not_another() -> None:
    token = Signer(SECRET).sign(SIGNED)
    assert Signer(SECRET).read(Purpose.DOWNLOAD, token) is None


def test_another_secret_ends_what_was_signed() -> None:
    signer = Signer()
    first = signer.sign(SIGNED)
    signer.use(SECRET)
    assert signer.read(Purpose.WATCH, first) is None
    second = signer.sign(SIGNED)
    # The random one is the same again: nothing else has changed.
    signer.use(None)
    assert signer.read(Purpose.WATCH, second) is None
    assert signer.read(Purpose.WATCH, first) == SIGNED


def claims(**changed: Any) -> dict[str, Any]:
    given = {"aud": "watch", "sub": "live", "exp": int(time.time()) + 60, "jti": "id"}
    return {k: v for k, v in (given | changed).items() if v is not None}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"aud": None}, {"aud": "else"}, {"sub": None}, {"sub": 1}),
        *({"exp": None}, {"exp": "soon"}, {"exp": 1.5}, {"exp": -1}, {"exp": 1e300}),
        *({"jti": 1}, {"jti": "i" * 65}, {"sub": "s" * MAX_LENGTH}),
    ],
)
def test_claims_that_are_none(wrong: dict[str, Any]) -> None:
    """Whoever has the secret may sign with any library."""
    signer = Signer(SECRET)
    right = jwt.encode(claims(), SECRET, "HS256")
    assert signer.read(Purpose.WATCH, right) is not None
    try:
        token = jwt.encode(claims(**wrong), SECRET, "HS256")
    except TypeError:  # this library refuses to sign it
        token = jwt.api_jws.encode(
            jwt.utils.force_bytes(str(claims(**wrong)).replace("'", '"')), SECRET
        )
    assert signer.read(Purpose.WATCH, token) is None


def test_forged_ones() -> None:
    signer = Signer(SECRET)
    token = signer.sign(SIGNED)
    header, body, signature = token.split(".")
    none = jwt.encode(claims(), "", "none")
    other = jwt.encode(claims(), SECRET * 2, "HS512")
    longer = jwt.encode(claims(exp=3_000_000_000), SECRET[::-1], "HS256")
    for forged in (
        *("", "a", "..", "a.b.c", "\N{SNOWMAN}.b.c", none, other, longer),
        f"{header}.{longer.split('.')[1]}.{signature}",
        *(f"{header}.{body}.", f"{header}.{body}.{signature[:-4]}AAAA"),
    ):
        assert signer.read(Purpose.WATCH, forged) is None, forged
