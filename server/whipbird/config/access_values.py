"""Readers of tokens and secrets, and of who may do what.

Each returns a value, or raises ValueError.
"""

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Any

from pydantic import SecretBytes, SecretStr, ValidationInfo

from .network_values import is_loopback

# The syntax of a Bearer token (RFC 6750 section 2.1).
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")

_TOKEN_SYNTAX = (
    'a token has letters, digits, "- . _ ~ + /" and, optionally, "=" at its end'
)

# The settings of which one says who may do what.
_RULES = (
    *("token", "token_file", "rights_file"),
    *("jwt_key_file", "jwt_key_url", "auth_url"),
)

# Octets of a file with a token, which may be a JWT, or another secret that are read.
_MAX_TOKEN = 16_384

# Octets of a secret that signs: as many as its hash has (RFC 7518 section 3.2).
_MIN_SECRET = 32

# Secrets of the Standard Webhooks scheme in base64.
_KEY_PREFIX = "whsec_"


def token(value: SecretStr) -> SecretStr:
    if not BEARER_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError(_TOKEN_SYNTAX)
    return value


def token_in_file(value: Any) -> Any:
    """The token in a file, without white space around it."""
    if isinstance(value, SecretStr):
        return value
    return token(SecretStr(read_token(_path(value))))


def _path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ValueError("expected the path of a file")
    return Path(value)


def read_token(file: Path) -> str:
    """Read the file of a token.

    Raises:
        ValueError: when it cannot be read, or contains no token.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_TOKEN).decode("ascii").strip()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        text = ""
    if not BEARER_TOKEN.fullmatch(text):
        raise ValueError(
            f"{file}: it has to contain one token and nothing else; {_TOKEN_SYNTAX}"
        )
    return text


def secret_in_file(value: Any) -> Any:
    """The secret in a file, without white space around it."""
    if isinstance(value, SecretBytes):
        return value
    file = _path(value)
    try:
        with file.open("rb") as opened:
            secret = opened.read(_MAX_TOKEN).strip()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from None
    if len(secret) < _MIN_SECRET:
        raise ValueError(
            f"{file}: it has to contain a secret of at least {_MIN_SECRET} octets"
        )
    return SecretBytes(secret)


def no_second_token(value: SecretStr, info: ValidationInfo) -> SecretStr:
    if info.data.get("token_file") is not None:
        raise ValueError("there is a token_file too; set one of them")
    return value


def one_key_source(value: str, info: ValidationInfo) -> str:
    if info.data.get("jwt_key_file") is not None:
        raise ValueError("there is a jwt_key_file too; set one of them")
    return value


def with_keys(value: str, info: ValidationInfo) -> str:
    names = ("jwt_key_file", "jwt_key_url")
    if all(info.data.get(name, ...) is None for name in names):
        raise ValueError("it needs keys: set jwt_key_file or jwt_key_url too")
    return value


def open_if_meant(value: bool, info: ValidationInfo) -> bool:
    # A setting that is itself invalid is missing here: its own error is reported.
    host = info.data.get("host", "localhost")
    has_rules = any(info.data.get(name, ...) is not None for name in _RULES)
    if value and has_rules:
        raise ValueError("there are a token or rules; leave one of them out")
    if not value and not has_rules and not is_loopback(host):
        raise ValueError(
            f"whoever reaches {host} could publish, watch and record: set a token "
            "(token_file) or rules (rights_file), or open if that is meant; on the "
            "command line --token-file, --rights-file or --open"
        )
    return value


def secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("it is empty")
    return value


def event_secret(value: SecretStr) -> SecretStr:
    webhook_key(secret(value).get_secret_value())
    return value


def webhook_key(secret: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, otherwise its characters.

    Raises:
        ValueError: when it is not base64.
    """
    if not secret.startswith(_KEY_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what follows {_KEY_PREFIX} is not base64") from None
