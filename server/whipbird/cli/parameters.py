"""What the options and arguments of the commands may be."""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo
from yarl import URL

from ..config import ENV_PREFIX, Settings

Command = Callable[..., None]


def settings_options(command: Command) -> Command:
    """Give a command an option for every setting, described as the setting is."""
    for name, field in reversed(Settings.model_fields.items()):
        command = _option(name, field)(command)
    return command


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    flag = "--" + name.replace("_", "-")
    default: Any = field.default
    kind: Any = type(default)
    shown = str(default)
    is_repeated = isinstance(default, tuple)
    if get_origin(field.annotation) is Literal:
        kind = click.Choice(get_args(field.annotation))
    elif isinstance(default, bool):
        flag = f"{flag}/--no-{flag[2:]}"
        shown = "on" if default else "off"
    elif is_repeated:
        flag, kind, shown = flag.removesuffix("s"), str, "none"
    elif default is None:
        kind, shown = str, "none"
    source = f"[default: {shown}; env: {ENV_PREFIX}{name.upper()}]"
    return click.option(
        flag,
        name,
        type=kind,
        default=None,
        multiple=is_repeated,
        help=f"{field.description}  {source}",
    )


class FiniteRange(click.FloatRange):
    """A range of numbers, of which NaN and the infinities are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of seconds", param, ctx)
        return number


class HttpUrl(click.ParamType[str]):
    """A URL of HTTP or HTTPS."""

    name = "url"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            url = URL(value)
            if url.scheme in ("http", "https") and url.host and url.port:
                return str(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        hint = "" if "://" in value or not value else f"; did you mean http://{value}?"
        return self.fail(f"{value!r} is no http:// or https:// URL{hint}", param, ctx)
