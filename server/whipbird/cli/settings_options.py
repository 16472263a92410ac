"""An option of the command line for each setting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from ..config import Settings, values
from ..environment import ENV_PREFIX
from .parameters import Command


def settings_options(command: Command) -> Command:
    """Add an option to a command for each setting."""
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
    elif BeforeValidator(values.workers) in field.metadata:
        kind = str
    elif isinstance(default, bool):
        flag = f"{flag}/--no-{flag[2:]}"
        shown = "on" if default else "off"
    elif bool in get_args(field.annotation):
        flag, kind, shown = f"{flag}/--no-{flag[2:]}", bool, "by the addresses"
    elif is_repeated:
        flag, kind, shown = _singular(flag), str, "none"
    elif default is None:
        kind, shown = str, "none"
        if int in get_args(field.annotation):
            kind = int
        if Path in get_args(field.annotation):
            is_folder = BeforeValidator(values.folder) in field.metadata
            kind = click.Path(
                file_okay=not is_folder, dir_okay=is_folder, path_type=Path
            )
    source = f"[default: {shown}; env: {ENV_PREFIX}{name.upper()}]"
    return click.option(
        flag,
        name,
        type=kind,
        default=None,
        multiple=is_repeated,
        help=f"{field.description}  {source}",
    )


def _singular(flag: str) -> str:
    """The option for one of several values."""
    if flag.endswith("ies"):
        return flag.removesuffix("ies") + "y"
    return flag.removesuffix("es" if flag.endswith("sses") else "s")
