"""Counts that can be added."""

from typing import ClassVar, Self


class Counts:
    """The base of a frozen dataclass whose fields are counts, or counts of counts.

    Its fields have defaults, so that ``sum`` can begin with one that is empty.
    """

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __add__(self, other: Self) -> Self:
        names = self.__match_args__
        return type(self)(*(getattr(self, n) + getattr(other, n) for n in names))
