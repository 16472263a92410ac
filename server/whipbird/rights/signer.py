"""What the server signs: whoever has it may do one thing, for a time."""

import secrets
from dataclasses import dataclass
from enum import StrEnum

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ALGORITHM = "HS256"
# Characters of what may be signed.
MAX_LENGTH = 2048


class Purpose(StrEnum):
    """What a signature is for: one is never taken for another."""

    WATCH = "watch"
    DOWNLOAD = "download"


@dataclass(frozen=True)
class Signed:
    """What a signature permits.

    Args:
        purpose: what may be done.
        subject: with what: the name of a stream, or of a file.
        expires: seconds since the epoch at which it ends.
        id: tells several with the same subject apart; None where nobody needs to.
    """

    purpose: Purpose
    subject: str
    expires: int
    id: str | None = None


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True)
    sub: str
    exp: int = Field(ge=0, le=2**53)
    jti: str | None = Field(default=None, max_length=64)


class Signer:
    """Signs, and knows its own signatures: JSON Web Tokens (RFC 7519) of one secret.

    Args:
        secret: at least 32 octets; None for a random one, which ends with the process.
        random: this random one, where several processes have it together.
    """

    def __init__(
        self, secret: bytes | None = None, random: bytes | None = None
    ) -> None:
        self._random = random or secrets.token_bytes(32)
        self._secret = self._random
        self.use(secret)

    def use(self, secret: bytes | None) -> None:
        """Sign with another secret from now on: with it, earlier signatures end."""
        self._secret = secret or self._random

    def sign(self, signed: Signed) -> str:
        """Sign; the same always has the same signature."""
        claims = {
            "aud": signed.purpose.value,
            "sub": signed.subject,
            "exp": signed.expires,
        }
        if signed.id is not None:
            claims["jti"] = signed.id
        return jwt.encode(claims, self._secret, ALGORITHM)

    def read(self, purpose: Purpose, text: str) -> Signed | None:
        """Read what this server has signed, expired or not; None for anything else."""
        if len(text) > MAX_LENGTH or text.count(".") != 2:
            return None
        options: jwt.types.Options = {
            "require": ["aud", "sub", "exp"],
            # Whoever reads it knows the time, and says what has expired.
            "verify_exp": False,
        }
        try:
            found = _Claims.model_validate(
                jwt.decode(
                    text,
                    self._secret,
                    algorithms=[ALGORITHM],
                    audience=purpose.value,
                    options=options,
                )
            )
        except (jwt.PyJWTError, ValidationError, ValueError):
            return None
        return Signed(purpose, found.sub, found.exp, found.jti)
