"""What clients and the server say to each other in a chat: JSON objects in text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .text import clean, is_visible

# Characters.
MAX_NAME = 32
MAX_TEXT = 500
MAX_REF = 64
# Octets of one request.
MAX_REQUEST = 8192

EMOJI = ("👍", "❤️", "😂", "😮", "👏", "🎉")


class Refusal(Exception):  # noqa: N818 - an answer to a client
    """A request that is refused.

    Args:
        code: names the reason, for programs.
        detail: says it in words.
        limit: the length that it exceeds, if any.
        retry_after: seconds after which the same request may be sent again; None if
            it would be refused at any time.

    Attributes:
        ref: the client's reference to its request; None if it has none.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        limit: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.limit = limit
        self.retry_after = retry_after
        self.ref: str | None = None

    def write(self) -> str:
        """The answer to the client."""
        answer: dict[str, Any] = {"type": "refused"}
        if self.ref is not None:
            answer["ref"] = self.ref
        answer |= {"code": self.code, "detail": self.detail}
        if self.limit is not None:
            answer["limit"] = self.limit
        if self.retry_after is not None:
            answer["retry_after"] = round(self.retry_after, 1)
        return write(answer)


@dataclass(frozen=True, slots=True)
class Message:
    """A request to pass on a message; its texts are clean."""

    name: str
    text: str
    ref: str | None


@dataclass(frozen=True, slots=True)
class Reaction:
    """A request to pass on a reaction."""

    emoji: str
    ref: str | None


def read_request(data: bytes, *, is_text: bool) -> Message | Reaction:
    """Read a request of a client.

    Args:
        data: the octets of the message on the data channel.
        is_text: whether it was sent as text.

    Raises:
        Refusal: when it is malformed or exceeds a limit.
    """
    request = _read_object(data, is_text=is_text)
    ref = request.get("ref")
    if ref is not None and not _is_ref(ref):
        raise _malformed(f'"ref" is not text of at most {MAX_REF} ASCII characters.')
    try:
        match request.get("type"):
            case "message":
                name = _read_text(request, "name", MAX_NAME)
                return Message(name, _read_text(request, "text", MAX_TEXT), ref)
            case "reaction":
                return Reaction(_read_emoji(request), ref)
            case _:
                raise _malformed('"type" is neither "message" nor "reaction".')
    except Refusal as refusal:
        refusal.ref = ref
        raise


def ref_of(data: bytes, *, is_text: bool) -> str | None:
    """The reference of a request that is refused, whatever it says."""
    try:
        return read_request(data, is_text=is_text).ref
    except Refusal as refusal:
        return refusal.ref


def write(content: Mapping[str, Any]) -> str:
    """Write an object as it is sent."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _read_object(data: bytes, *, is_text: bool) -> dict[str, Any]:
    if not is_text:
        raise _malformed("It is binary; a request is text.")
    if len(data) > MAX_REQUEST:
        raise Refusal(
            "too-large",
            f"A request has at most {MAX_REQUEST} octets.",
            limit=MAX_REQUEST,
        )
    try:
        request = json.loads(data.decode())
    except UnicodeDecodeError:
        raise _malformed("It is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise _malformed("It is not JSON.") from None
    if not isinstance(request, dict):
        raise _malformed("It is not a JSON object.")
    return request


def _is_ref(ref: object) -> bool:
    return isinstance(ref, str) and len(ref) <= MAX_REF and ref.isascii()


def _read_text(request: Mapping[str, Any], member: str, most: int) -> str:
    value = request.get(member)
    if not isinstance(value, str):
        raise _malformed(f'"{member}" is not text.')
    text = clean(value)
    if not is_visible(text):
        raise Refusal(f"{member}-empty", f"The {member} has nothing to see.")
    if len(text) > most:
        raise Refusal(
            f"{member}-too-long",
            f"The {member} has {len(text)} characters; {most} are permitted.",
            limit=most,
        )
    return text


def _read_emoji(request: Mapping[str, Any]) -> str:
    emoji = request.get("emoji")
    if not isinstance(emoji, str) or emoji not in EMOJI:
        raise Refusal("no-such-reaction", f"A reaction is one of {' '.join(EMOJI)}.")
    return emoji


def _malformed(detail: str) -> Refusal:
    return Refusal("malformed", detail)
