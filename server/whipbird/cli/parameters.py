"""Types of the commands' options and arguments."""

import math
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from yarl import URL

from ..environment import ENV_PREFIX

Command = Callable[..., None]


def token_options(command: Command) -> Command:
    """Add --token and --token-file to a command, which gets ``token`` from either."""

    @wraps(command)
    def with_token(
        *args: Any, token: str | None, token_file: Path | None, **options: Any
    ) -> None:
        if token_file is not None:
            if token is not None:
                raise click.UsageError("--token and --token-file exclude each other")
            # The settings are not loaded for those who name no file.
            from ..config import read_token

            try:
                token = read_token(token_file)
            except ValueError as error:
                raise click.BadParameter(
                    str(error), param_hint="--token-file"
                ) from None
        command(*args, token=token, **options)

    for flag, kind, text in (
        ("--token-file", click.Path(path_type=Path), "File with the Bearer token."),
        (
            "--token",
            str,
            "Bearer token; other users of the machine see the command line.",
        ),
    ):
        variable = ENV_PREFIX + flag[2:].replace("-", "_").upper()
        with_token = click.option(
            flag, type=kind, envvar=variable, show_envvar=True, help=text
        )(with_token)
    return with_token


class FiniteRange(click.FloatRange):
    """A range of numbers without NaN and infinities."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of seconds", param, ctx)
        return number


class HttpUrl(click.ParamType[str]):
    """A URL of HTTP or HTTPS.

    Args:
        default_path: the path of a URL that has none; empty to leave it as it is.
    """

    name = "url"

    def __init__(self, default_path: str = "") -> None:
        self._default_path = default_path

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            url = URL(value)
            if url.scheme in ("http", "https") and url.host and url.port:
                if self._default_path and url.path in ("", "/"):
                    return str(url.with_path(self._default_path))
                return str(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        hint = "" if "://" in value or not value else f"; did you mean http://{value}?"
        return self.fail(
            f"{value!r} is not an http:// or https:// URL{hint}", param, ctx
        )


def better_url(url: str, resource: str) -> str | None:
    """The URL of an endpoint of Whipbird for another one of its server.

    Args:
        resource: ``whip`` or ``whep``.

    Returns:
        The URL, of the stream that the path ends with; None if ``url`` is such a one.
    """
    given = URL(url)
    parts = [part for part in given.path.split("/") if part]
    if len(parts) == 2 and parts[0] == resource:
        return None
    stream = parts[-1] if parts else "mystream"
    return str(given.with_path(f"/{resource}/{stream}"))


class Sha256(click.ParamType[bytes]):
    """A SHA-256 digest in hexadecimal digits, with or without colons."""

    name = "sha-256"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        if isinstance(value, bytes):
            return value
        digits = value.replace(":", "")
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
            self.fail("expected the 64 hexadecimal digits of a SHA-256", param, ctx)
        return bytes.fromhex(digits)


tls_fingerprint_option = click.option(
    "--tls-fingerprint",
    type=Sha256(),
    help="SHA-256 digest of the server's certificate: no other is accepted, and nobody "
    "needs to have signed it.",
)


class PictureSize(click.ParamType[tuple[int, int]]):
    """Width and height of a picture in pixels, as ``1280x720``."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)
        if not found:
            self.fail(f"{value!r} is not a size like 1280x720", param, ctx)
        width, height = int(found[1]), int(found[2])
        for length in (width, height):
            if not 16 <= length <= 4096 or length % 2:
                self.fail(f"{length} is not an even number from 16 to 4096", param, ctx)
        return width, height


class Bitrate(click.ParamType[int]):
    """Bits per second, as ``2500000``, ``2500k`` or ``2.5M``."""

    name = "bitrate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([kM]?)", value)
        if not found:
            self.fail(f"{value!r} is not a bitrate like 2500k or 2.5M", param, ctx)
        bitrate = round(float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]])
        if not 50_000 <= bitrate <= 50_000_000:
            self.fail(f"{value} is not from 50k to 50M", param, ctx)
        return bitrate
