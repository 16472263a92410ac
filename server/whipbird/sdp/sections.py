"""Which sections of an offer are accepted: all of a publisher's, some of a viewer's."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

from .errors import MalformedSdp, UnacceptableSdp, quote
from .extmap import ExtensionMap
from .media import EXTENSIONS, OfferedMedia, RejectedMedia, offered_media
from .parser import TOKEN, MediaSection, SessionDescription
from .role import Role

_KINDS = ("audio", "video", "application")


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of an offer, as they are answered.

    Attributes:
        all: every section, in the offer's order.
        bundle: the mids of the accepted sections, the tagged one first; empty if they
            are in no BUNDLE group.
        tagged: the index of the section whose transport is used (RFC 9143
            section 7.3.1).
        offered_tag: the index of the one that the offer has for this.
    """

    all: tuple[OfferedMedia | RejectedMedia, ...]
    bundle: tuple[str, ...]
    tagged: int
    offered_tag: int


def choose_sections(
    description: SessionDescription, role: Role, refused: Collection[int] = ()
) -> Sections:
    """Accept the sections that can share the one transport that there is.

    A publisher's offer is accepted as a whole or not at all (RFC 9725 section 4.4.3).
    Of a viewer's offer, what cannot be accepted is rejected (RFC 9429 section 5.3.1):
    all but one section where they are not bundled, and a second one of a kind. The
    tagged section of a bundle is answered as inactive instead if possible, because
    browsers with max-bundle have no other transport (Chromium does not take such an
    answer).

    Args:
        refused: the indexes of sections that are rejected in any case.

    Raises:
        MalformedSdp: when an attribute is malformed.
        UnacceptableSdp: when no media can be accepted.
    """
    if not role.is_partial:
        # This is to be said first, whether they are bundled or not.
        for number, section in enumerate(description.media):
            _check(section, {m.kind for m in description.media[:number]}, role)
    groups = _groups(description)
    extension_map = ExtensionMap(description, EXTENSIONS[role.answer])
    # A section may be in several groups; it is judged once.
    judge = cache(lambda i: _judged(description, i, role, extension_map))
    errors: list[UnacceptableSdp] = []
    for group in _transports(description, groups, role):
        accepted: dict[int, OfferedMedia] = {}
        for index in sorted(set(group) - set(refused)):
            section = description.media[index]
            kinds = {media.kind for media in accepted.values()}
            try:
                _check(section, kinds, role)
                media = judge(index)
                if isinstance(media, UnacceptableSdp):
                    raise media
                _check_payload_types(section, media, accepted.values())
            except UnacceptableSdp as error:
                if not role.is_partial:
                    raise
                errors.append(error)
            else:
                accepted[index] = media
        kinds = {media.kind for media in accepted.values()}
        if not kinds or (role.needs_media and kinds == {"application"}):
            continue
        if group in groups and group[0] not in accepted:
            accepted |= _held(description, group[0], role, extension_map, accepted)
        return _sections(description, group, accepted, is_bundled=group in groups)
    raise errors[0] if errors else _no_media(description, role)


def _groups(description: SessionDescription) -> list[tuple[int, ...]]:
    """The BUNDLE groups: the indexes of their sections, in the order of the group."""
    mids: dict[str, int] = {}
    for index, media in enumerate(description.media):
        mid = media.first("mid")
        if mid is None:
            continue
        if not TOKEN.fullmatch(mid.value) or mid.value in mids:
            problem = "is used twice" if mid.value in mids else "is not a token"
            raise MalformedSdp(
                "Malformed mid",
                f'The mid "{quote(mid.value)}" {problem}.',
                section="RFC 5888 section 4",
                line=mid.line,
            )
        mids[mid.value] = index
    groups = []
    for group in description.all("group"):
        semantics, _, rest = group.value.partition(" ")
        if semantics != "BUNDLE":
            continue
        members = rest.split()
        if any(m not in mids for m in members) or len(set(members)) != len(members):
            raise MalformedSdp(
                "Malformed BUNDLE group",
                "It must name mids of the offer, each once.",
                section="RFC 9143 section 7.2",
                line=group.line,
            )
        if members:
            groups.append(tuple(mids[member] for member in members))
    return groups


def _transports(
    description: SessionDescription, groups: Sequence[tuple[int, ...]], role: Role
) -> Iterator[Sequence[int]]:
    """The sets of sections that can share a transport, the best one first.

    Raises:
        UnacceptableSdp: when all sections must be accepted, and do not share one.
    """
    count = len(description.media)
    if role.is_partial:
        return chain(groups, ((index,) for index in range(count)))
    whole = (group for group in groups if len(group) == count)
    found = next(whole, (0,) if count == 1 else None)
    if found is None:
        raise UnacceptableSdp(
            "Not bundled",
            'All media sections must be in one "a=group:BUNDLE".',
            section="RFC 9725 section 4.4.1",
            line=description.media[1].line,
        )
    return iter((found,))


def _sections(
    description: SessionDescription,
    group: Sequence[int],
    accepted: dict[int, OfferedMedia],
    *,
    is_bundled: bool,
) -> Sections:
    members = [index for index in group if index in accepted]
    tagged = offered_tag = group[0]
    if tagged not in accepted:
        # RFC 9143 section 7.3.1: the next one with an address of its own.
        own = (index for index in members if description.media[index].port)
        tagged = next(own, members[0])
        members.remove(tagged)
        members.insert(0, tagged)
    return Sections(
        all=tuple(
            accepted.get(index) or _rejected(media)
            for index, media in enumerate(description.media)
        ),
        bundle=tuple(accepted[i].mid or "" for i in members) if is_bundled else (),
        tagged=tagged,
        offered_tag=offered_tag,
    )


def _judged(
    description: SessionDescription,
    index: int,
    role: Role,
    extension_map: ExtensionMap,
) -> OfferedMedia | UnacceptableSdp:
    try:
        return offered_media(description.media[index], description, role, extension_map)
    except UnacceptableSdp as error:
        return error


def _held(
    description: SessionDescription,
    index: int,
    role: Role,
    extension_map: ExtensionMap,
    accepted: Mapping[int, OfferedMedia],
) -> dict[int, OfferedMedia]:
    """A section that is answered as inactive, by its index; nothing if it cannot be."""
    section = description.media[index]
    try:
        _check(section, (), role)
        held = offered_media(
            section, description, role, extension_map, is_inactive=True
        )
        _check_payload_types(section, held, accepted.values())
    except UnacceptableSdp:
        return {}
    return {} if held.kind == "application" else {index: held}


def _rejected(media: MediaSection) -> RejectedMedia:
    mid = media.first("mid")
    return RejectedMedia(
        media.kind, mid.value if mid else None, media.protocol, media.formats
    )


def _check(media: MediaSection, kinds: Collection[str], role: Role) -> None:
    """Check the kind of a section, of which there may be one, and its port."""
    if media.kind not in _KINDS:
        raise UnacceptableSdp(
            "Unsupported media",
            f'"{quote(media.kind)}" is not audio, video or application.',
            section="RFC 9725 section 4.4.3",
            line=media.line,
        )
    if media.kind in kinds:
        raise UnacceptableSdp(
            f"More than one {media.kind} section",
            f"{role.protocol} takes at most one {media.kind} section in an offer.",
            section="RFC 9725 section 4.4.2",
            line=media.line,
        )
    if media.port == 0 and not media.has("bundle-only"):
        raise UnacceptableSdp(
            "Disabled media section",
            'Port 0 without "a=bundle-only" offers nothing.',
            section="RFC 9725 section 4.4.3",
            line=media.line,
        )


def _check_payload_types(
    section: MediaSection, media: OfferedMedia, others: Collection[OfferedMedia]
) -> None:
    """Check that payload types are unique: they identify the section of a packet."""
    seen = {codec.payload_type for other in others for codec in other.codecs}
    for codec in media.codecs:
        if codec.payload_type in seen:
            raise UnacceptableSdp(
                "Payload type used twice",
                f"Payload type {codec.payload_type} stands in two bundled media "
                "sections.",
                section="RFC 9143 section 9.1",
                line=section.line,
            )


def _no_media(description: SessionDescription, role: Role) -> UnacceptableSdp:
    return UnacceptableSdp(
        role.title,
        f"The offer has data channels alone: a {role.protocol} client "
        f"{role.does} audio or video.",
        section="draft-ietf-wish-whep-03 section 4.6.2",
        line=description.media[0].line,
    )
