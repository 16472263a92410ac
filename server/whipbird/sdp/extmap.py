"""The RTP header extensions of an offer, and their identifiers (RFC 8285)."""

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from .errors import MalformedSdp, quote
from .parser import Section, SessionDescription, is_number
from .role import Role

# Larger identifiers need two-byte headers, which may be mixed with one-byte headers
# only with extmap-allow-mixed (section 6).
_MAX_ONE_BYTE_ID, _MAX_TWO_BYTE_ID = 14, 255
# In an offer these are no identifiers yet: the answerer assigns one (sections 5 and 7).
# Several extensions with one of them are alternatives.
_FIRST_UNASSIGNED, _LAST_UNASSIGNED = 4096, 4351


class Accepted(NamedTuple):
    """The accepted header extensions of a media section.

    Attributes:
        extensions: (identifier, URI), each URI once.
        one_way: the identifiers of those that are offered in one direction only. The
            answer gives them the opposite one (section 7).
    """

    extensions: tuple[tuple[int, str], ...]
    one_way: frozenset[int]


class _Entry(NamedTuple):
    identifier: int
    direction: str
    uri: str

    @property
    def is_assigned(self) -> bool:
        return self.identifier <= _MAX_TWO_BYTE_ID


class ExtensionMap:
    """The header extensions of a whole offer.

    Bundled sections share the identifiers (RFC 9143 section 9.2), so those that this
    side assigns are the same in all sections.

    Args:
        description: the offer; what stands at session level counts for all sections.
        known: the URIs of the extensions that are accepted in some section.

    Raises:
        MalformedSdp: when an ``a=extmap`` does not follow the grammar.
    """

    def __init__(self, description: SessionDescription, known: Container[str]) -> None:
        self._session = tuple(_entries(description))
        self._is_mixed = description.has("extmap-allow-mixed")
        every = [*self._session, *(e for m in description.media for e in _entries(m))]
        self._assigned = _assign(every, known)

    def accepted(self, media: Section, known: Container[str], role: Role) -> Accepted:
        """The accepted extensions of a media section.

        Args:
            known: the URIs of the extensions that are accepted in this section.
            role: the offerer's. An extension for the other direction only is not
                accepted: no packet could have it.
        """
        mixed = self._is_mixed or media.has("extmap-allow-mixed")
        largest = _MAX_TWO_BYTE_ID if mixed else _MAX_ONE_BYTE_ID
        accepted: dict[str, int] = {}
        one_way: set[int] = set()
        taken: set[int] = set()
        for entry in (*_entries(media), *self._session):
            identifier = (
                entry.identifier
                if entry.is_assigned
                else self._assigned.get(entry.uri, _LAST_UNASSIGNED)
            )
            if (
                entry.uri in known
                and entry.uri not in accepted
                and entry.direction not in role.refused
                and identifier <= largest
                and not taken & {entry.identifier, identifier}
            ):
                accepted[entry.uri] = identifier
                taken |= {entry.identifier, identifier}
                if entry.direction == role.direction:
                    one_way.add(identifier)
        return Accepted(
            tuple((identifier, uri) for uri, identifier in accepted.items()),
            frozenset(one_way),
        )


def _entries(section: Section) -> Iterator[_Entry]:
    for attribute in section.all("extmap"):
        identifier, _, rest = attribute.value.partition(" ")
        number, _, direction = identifier.partition("/")
        uri = rest.strip().partition(" ")[0]
        is_valid = is_number(number) and len(number) <= 5 and uri
        if not is_valid or not 1 <= int(number) <= _LAST_UNASSIGNED:
            raise MalformedSdp(
                "Malformed extmap",
                f'"a=extmap:{quote(attribute.value)}" is not an id (1 to 255, or 4096 '
                "to 4351 for one to be assigned) and the URI of a header extension.",
                section="RFC 8285 section 8",
                line=attribute.line,
            )
        yield _Entry(int(number), direction, uri)


def _assign(entries: list[_Entry], known: Container[str]) -> Mapping[str, int]:
    """Identifiers for the extensions that are offered without one, by URI."""
    assigned = {e.uri: e.identifier for e in reversed(entries) if e.is_assigned}
    used = {entry.identifier for entry in entries}
    free = (n for n in range(1, _MAX_TWO_BYTE_ID + 1) if n not in used)
    for entry in entries:
        is_open = entry.identifier >= _FIRST_UNASSIGNED
        if is_open and entry.uri in known and entry.uri not in assigned:
            identifier = next(free, None)
            if identifier is None:
                break
            assigned[entry.uri] = identifier
    return assigned
