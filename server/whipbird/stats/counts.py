"""Counts that can be added."""

from collections.abc import Callable
from functools import cache
from operator import add, attrgetter
from typing import Any, ClassVar, Self


class Counts:
    """The base of a frozen dataclass whose fields are counts, or counts of counts.

    Its fields have defaults, so that ``sum`` can begin with one that is empty.
    """

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __add__(self, other: Self) -> Self:
        values = _values(self.__match_args__)
        more = values(other)
        # Most sessions have no media: nothing is to be added to those counts.
        return type(self)(*map(add, values(self), more)) if any(more) else self


@cache
def _values(names: tuple[str, ...]) -> Callable[[Counts], tuple[Any, ...]]:
    """What returns the fields with these names, of which there are several."""
    return attrgetter(*names)
