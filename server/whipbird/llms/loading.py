"""Makes an engine, if its library is installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Engine


class NoChat(Exception):  # noqa: N818 - a state, not a fault
    """Language models cannot be used. The message says why."""


def make_engine(
    *,
    api_base: str | None,
    models: tuple[str, ...],
    key: str | None,
    log: Path | None,
    patience: float,
    at_once: int,
) -> "Engine":
    """Make an engine; it is to be started.

    Args:
        api_base: the URL of an API like OpenAI's; None for models that ``llm`` knows.
        models: names of models, the default first; if empty, all that the API has.
        key: the API's key; None if it wants none.
        log: the file of the log; None for that of ``llm``.
        patience: seconds without a token after which a model is given up.
        at_once: replies that are made at a time; more are refused.

    Raises:
        NoChat: when the library is not installed, or no model is named.
    """
    if find_spec("llm") is None:
        raise NoChat(
            "language models need the package llm, which is not installed: "
            "pip install 'whipbird[chat]'"
        )
    from .endpoint import EndpointModels
    from .engine import Engine
    from .installed import InstalledModels
    from .log import ChatLog, default_file

    source: EndpointModels | InstalledModels
    if api_base is not None:
        source = EndpointModels(api_base, models, key)
    elif models:
        source = InstalledModels(models)
    else:
        raise NoChat("name the URL of a language model's server, or a model of llm")
    file = default_file() if log is None else log
    return Engine(
        source,
        None if file is None else ChatLog(file),
        patience=patience,
        at_once=at_once,
    )
