"""The rules: tokens, as hashes, and what clients without a token may do."""

import hashlib
import hmac
import tomllib
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from .grant import ALL, Action, Grant

ANONYMOUS = "anonymous"
# The name of the one token that permits everything.
TOKEN = "token"

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Glob = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~*?-]{1,64}$")]


class RulesError(Exception):
    """The rules are invalid. The message says which one, and why."""


class _Rights(BaseModel):
    model_config = ConfigDict(extra="forbid")
    actions: frozenset[Action] = Field(min_length=1)
    streams: tuple[Glob, ...] = Field(default=(ALL,), min_length=1)


class _Token(_Rights):
    name: str = Field(min_length=1, max_length=64)
    hash: _Hash
    expires: AwareDatetime | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tokens: tuple[_Token, ...] = ()
    anonymous: _Rights | None = None


class Rules:
    """Finds the grant of a client.

    Args:
        tokens: digest of a token (see ``digest_of``) -> its grant.
        anonymous: the grant of clients without a token; None if they have none.
    """

    def __init__(
        self, tokens: dict[str, Grant], anonymous: Grant | None = None
    ) -> None:
        self._tokens = tokens
        self.anonymous = anonymous

    def and_token(self, token: str) -> "Rules":
        """These rules, and a token that permits everything."""
        one = {digest_of(token): Grant(TOKEN, frozenset(Action))}
        return Rules({**self._tokens, **one}, self.anonymous)

    @classmethod
    def parse(cls, text: str) -> "Rules":
        """Read rules in TOML.

        Raises:
            RulesError: when they are invalid.
        """
        try:
            file = _File.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RulesError(str(error)) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            # The value may be a token that was meant to be hashed: it is not shown.
            raise RulesError(f"{place}: {first['msg']}") from None
        tokens: dict[str, Grant] = {}
        names = {ANONYMOUS, TOKEN}
        for token in file.tokens:
            if token.name in names or token.hash in tokens:
                raise RulesError(f"{token.name}: this name or its hash is used twice")
            names.add(token.name)
            expires = None if token.expires is None else token.expires.timestamp()
            tokens[token.hash] = Grant(
                token.name, token.actions, token.streams, expires
            )
        given = file.anonymous
        if given is None:
            return cls(tokens)
        return cls(tokens, Grant(ANONYMOUS, given.actions, given.streams))

    def find(self, token: str, now: float) -> Grant | None:
        """The grant of a token; None if it is unknown or has expired.

        The time that it takes does not depend on how much of a guess is right.
        """
        digest = digest_of(token)
        found = None
        for known, grant in self._tokens.items():
            if hmac.compare_digest(known, digest):
                found = grant
        return None if found is None or found.has_expired(now) else found


def digest_of(token: str) -> str:
    """The SHA-256 of a token in hexadecimal. Random tokens need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()
