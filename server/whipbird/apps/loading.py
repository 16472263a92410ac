"""Finds applications by name: ``package.module:name``, or an entry point."""

import importlib
from importlib.metadata import entry_points
from inspect import iscoroutinefunction
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from ..net.faults import place_of
from .application import HANDLERS, Application

_PACKAGE = Path(__file__).parent.parent

# The group of entry points: packages that are installed name applications there.
GROUP = "whipbird.apps"


class ApplicationError(Exception):
    """An application cannot be used. The message says which one, and why."""


def load_application(name: str) -> Application:
    """Load an application.

    Args:
        name: ``package.module:name`` of an ``Application`` or a subclass of it; or,
            without a colon, the name of an entry point.

    Raises:
        ApplicationError: when there is none of this name, or it cannot be imported.
    """
    target = name if ":" in name else _entry_point(name)
    module_name, _, attribute = target.partition(":")
    if not (module_name and attribute):
        raise ApplicationError(f'{name}: expected "module:name"')
    module = _import(name, module_name)
    try:
        found: Any = getattr(module, attribute)
    except AttributeError:
        raise ApplicationError(f"{name}: {module_name} has no {attribute!r}") from None
    if isinstance(found, Application):
        return found
    if isinstance(found, type) and issubclass(found, Application):
        try:
            return found()
        except Exception as error:
            raise ApplicationError(
                f"{name} cannot be made: {describe(error)}"
            ) from error
    raise ApplicationError(
        f"{name} is neither a whipbird.Application nor a subclass of it"
    )


def _import(name: str, module_name: str) -> ModuleType:
    """Import the module of an application.

    Raises:
        ApplicationError: when there is none, or it fails.
    """
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{module_name}.".startswith(f"{missing}."):
            raise ApplicationError(
                f"{name} cannot be imported: {describe(error)}"
            ) from error
    hint = ""
    if module_name.endswith(".py"):
        hint = f"; the module of a file {module_name} is {module_name[:-3]}"
    raise ApplicationError(
        f"{name}: there is no module {module_name}, neither installed nor in "
        f"{Path.cwd()}{hint}"
    )


def check_handlers(name: str, application: Application) -> None:
    """Find a mistake that would only show with the first client.

    Raises:
        ApplicationError: when a handler of the application is no async function.
    """
    for handler in sorted(HANDLERS):
        function: Any = getattr(application, handler)
        call = getattr(function, "__call__", None)  # noqa: B004 - of an object
        if not (iscoroutinefunction(function) or iscoroutinefunction(call)):
            raise ApplicationError(f"{name}: {handler} has to be an async function")


def describe(error: BaseException) -> str:
    """An exception of an application in one line, with its place."""
    if isinstance(error, SyntaxError):
        said, file, line = error.msg, error.filename or "", error.lineno or 0
    else:
        said, (file, line) = " ".join(str(error).split()), _place_of(error)
    if isinstance(error, ModuleNotFoundError) and error.name == "numpy":
        said += ": pip install 'whipbird[apps]' brings it"
    name = type(error).__name__
    return f"{name}: {said} ({file}:{line})" if said else f"{name} ({file}:{line})"


def _place_of(error: BaseException) -> tuple[str, int]:
    """The file and line of the application that an exception has come through last."""
    file, line, _ = place_of(error)
    for frame, number in walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if not name.startswith(("<frozen importlib", str(_PACKAGE))):
            file, line = name, number
    return file, line


def _entry_point(name: str) -> str:
    """What an entry point leads to."""
    points = {point.name: point.value for point in entry_points(group=GROUP)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise ApplicationError(
            f'{name}: expected "module:name", or an application that is installed '
            f"({known})"
        )
    return points[name]
