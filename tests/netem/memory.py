"""How much an object of the transport holds."""

from collections import deque
from typing import NamedTuple

_CONTAINERS = (list, tuple, set, frozenset, deque)
_OCTETS = (bytes, bytearray)


class Held(NamedTuple):
    """What an object and all below it hold.

    Attributes:
        entries: of containers.
        octets: of byte strings.
        largest: the attribute with the most entries, for messages.
    """

    entries: int
    octets: int
    largest: str


def measure(root: object, package: str = "whipbird.transport") -> Held:
    """Count what an object holds.

    Args:
        root: where to begin.
        package: objects of other packages are not looked into, but for the root.
    """
    entries = octets = 0
    most, largest = 0, ""
    seen: set[int] = set()
    stack: list[tuple[str, object]] = [("", root)]
    while stack:
        name, value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, _OCTETS):
            octets += len(value)
        elif isinstance(value, dict):
            entries += len(value)
            if len(value) > most:
                most, largest = len(value), name
            stack += [(name, item) for pair in value.items() for item in pair]
        elif isinstance(value, _CONTAINERS):
            entries += len(value)
            if len(value) > most:
                most, largest = len(value), name
            stack += [(name, item) for item in value]
        elif value is root or type(value).__module__.startswith(package):
            stack += [(f"{name}.{key}", item) for key, item in _attributes(value)]
    return Held(entries, octets, f"{largest} ({most})")


def _attributes(value: object) -> list[tuple[str, object]]:
    found = list(getattr(value, "__dict__", {}).items())
    for cls in type(value).__mro__:
        slots = getattr(cls, "__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, slot):
                found.append((slot, getattr(value, slot)))
    return found
