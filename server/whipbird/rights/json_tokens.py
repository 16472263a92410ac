"""JSON Web Tokens (RFC 7519): grants that their issuer has signed."""

from typing import Any

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .grant import ALL, Action, Grant
from .inquiry import Inquiry
from .keys import Keys
from .rules import Glob, digest_of

# Seconds by which clocks may differ.
LEEWAY = 10
# Characters of a token.
MAX_LENGTH = 8192


class _Claims(BaseModel):
    """The claims that make a grant; others are ignored (RFC 7519 section 4)."""

    model_config = ConfigDict(strict=True)
    sub: str | None = Field(default=None, max_length=256)
    exp: float
    actions: list[str] = Field(default=[], max_length=64)
    streams: list[Glob] = Field(default=[ALL], max_length=256)


class JsonTokens:
    """Knows tokens that are signed with one of its keys and have not expired.

    Args:
        keys: the keys.
        issuer: the ``iss`` that tokens must have; None for any.
        audience: the ``aud`` that tokens must have; without it, they must have none.
    """

    admits_strangers = False

    def __init__(
        self, keys: Keys, issuer: str | None = None, audience: str | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def find(self, inquiry: Inquiry, now: float) -> Grant | None:
        token = inquiry.token
        if token is None or len(token) > MAX_LENGTH or token.count(".") != 2:
            return None
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.find(kid)
            if key is None:
                return None
            claims = _Claims.model_validate(
                self._decode(token, key.key, list(key.algorithms))
            )
        except (jwt.PyJWTError, ValidationError, ValueError, OverflowError):
            return None
        except RecursionError:  # JSON within JSON, without end
            return None
        name = digest_of(token)[:16] if claims.sub is None else claims.sub
        grant = Grant(
            f"jwt {name}",
            # Others are ignored: a later version may know them.
            frozenset(action for action in Action if action in claims.actions),
            tuple(claims.streams),
            claims.exp + LEEWAY,
        )
        return None if grant.has_expired(now) else grant

    def reload(self) -> None:
        self._keys.reload()

    def _decode(self, token: str, key: Any, algorithms: list[str]) -> dict[str, Any]:
        """The claims of a token.

        Raises:
            jwt.PyJWTError: when it is not valid.
        """
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY,
            options={"require": ["exp"]},
        )
        return claims
