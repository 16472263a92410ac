"""Applications, and what each is for."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_settings import NoDecode

from .values import words

_Glob = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_NAME = re.compile(r"[A-Za-z_][\w.-]*(:[A-Za-z_]\w*)?")


def _globs(value: Any) -> Any:
    """One glob stands for a list of one."""
    return [value] if isinstance(value, str) else value


_Globs = Annotated[tuple[_Glob, ...], BeforeValidator(_globs), Field(min_length=1)]


class ApplicationSetting(BaseModel):
    """An application, and what it is for.

    Attributes:
        app: ``package.module:name``, or the name of an installed application.
        streams: globs of the names of streams; None for the application's own.
        channels: globs of labels of channels; None for the application's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    app: str
    streams: _Globs | None = None
    channels: _Globs | None = None


def _named(value: Any) -> Any:
    """A name alone stands for a table with it."""
    if isinstance(value, str):
        value = {"app": value}
    if isinstance(value, dict):
        name = value.get("app")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                'expected "package.module:name", or the name of an installed '
                f"application, not {name!r}"
            )
    return value


class ApplicationSettings(BaseModel):
    """Applications."""

    apps: Annotated[
        tuple[Annotated[ApplicationSetting, BeforeValidator(_named)], ...],
        NoDecode,
        BeforeValidator(words),
    ] = Field(
        default=(),
        description="Application, as package.module:name or the name of an installed "
        "one; repeat for several. In whipbird.toml, [[apps]] has app, streams and "
        "channels: globs of what it is for.",
    )
