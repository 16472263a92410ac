"""A description that is waited for, and kept."""

from typing import Any

from .described import Condition, described


async def awaited(
    server: str, name: str, until: Condition, *, token: str
) -> dict[str, Any]:
    """What the server says of a stream, as soon as it is as it should be.

    For the arguments see ``described``.
    """
    kept: dict[str, Any] = {}

    def is_met(stream: dict[str, Any]) -> bool:
        is_it = bool(until(stream))
        if is_it:
            kept.update(stream)
        return is_it

    await described(server, name, is_met, token=token)
    return kept
