"""The messages of clients, as JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...llms import ChatError, ChatRequest, Code, read_request
from ...sdp.errors import quote

# Characters of ids.
MAX_ID = 64

# Characters of a system prompt.
MAX_SYSTEM = 64 * 1024


@dataclass(frozen=True)
class Ask:
    """Answer the last of these messages.

    Attributes:
        id: the client's name for this request, which errors and the start have, too.
        conversation: the id of the one that they belong to; None for a new one.
        system: the system prompt from now on; None to leave it.
        request: the messages, the model and the options.
    """

    id: str
    conversation: str | None
    system: str | None
    request: ChatRequest


@dataclass(frozen=True)
class Resume:
    """Go on with the last reply of a conversation, from an offset."""

    id: str
    conversation: str
    offset: int


@dataclass(frozen=True)
class Cancel:
    """Stop the reply of a conversation."""

    id: str
    conversation: str


@dataclass(frozen=True)
class Forget:
    """Forget a conversation."""

    id: str
    conversation: str


@dataclass(frozen=True)
class ListModels:
    """Tell the models."""

    id: str


@dataclass(frozen=True)
class Ping:
    """Answer at once."""

    id: str


Wish = Ask | Resume | Cancel | Forget | ListModels | Ping


def read_lines(data: str | bytes) -> Iterator[str]:
    """The lines of a message, each of which is a JSON object.

    Raises:
        ChatError: when it is binary.
    """
    if isinstance(data, bytes):
        raise _wrong("Messages are text: lines with a JSON object each.")
    return (line for line in data.split("\n") if line.strip())


def read_wish(line: str) -> Wish:
    """Read a line.

    Raises:
        ChatError: when it is malformed; ``wish_id`` tells which it was.
    """
    value = _read_object(line)
    name = _read_id(value, "id") or ""
    match value.get("type"):
        case "prompt":
            return _read_ask(name, value)
        case "resume":
            offset = value.get("offset", 0)
            if type(offset) is not int or offset < 0:
                raise _wrong("offset must be a whole number from 0.", "offset")
            return Resume(name, _conversation(value), offset)
        case "cancel":
            return Cancel(name, _conversation(value))
        case "forget":
            return Forget(name, _conversation(value))
        case "models":
            return ListModels(name)
        case "ping":
            return Ping(name)
    raise _wrong(
        "type must be one of: prompt, resume, cancel, forget, models, ping.", "type"
    )


def wish_id(line: str) -> str:
    """The id in a line that is wrong otherwise; empty if it has none."""
    try:
        return _read_id(_read_object(line), "id") or ""
    except ChatError:
        return ""


def _read_object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"This is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise _wrong("This is not a JSON object.")
    return value


def _read_ask(name: str, value: dict[str, Any]) -> Ask:
    request = read_request(value, frozenset({"type", "id", "conversation", "system"}))
    system = value.get("system")
    if system is not None:
        if not isinstance(system, str) or len(system) > MAX_SYSTEM:
            raise _wrong(
                f"system must be text of up to {MAX_SYSTEM} characters.", "system"
            )
        system = system.encode(errors="replace").decode()
    conversation = _read_id(value, "conversation")
    return Ask(name, conversation, system, replace(request, conversation=conversation))


def _conversation(value: dict[str, Any]) -> str:
    name = _read_id(value, "conversation")
    if name is None:
        raise _wrong("conversation must be the id of one.", "conversation")
    return name


def _read_id(value: dict[str, Any], member: str) -> str | None:
    found = value.get(member)
    if found is None:
        return None
    if not isinstance(found, str) or len(found) > MAX_ID or not found.isprintable():
        raise _wrong(
            f"{quote(member)} must be text of up to {MAX_ID} characters.", member
        )
    return found


def _wrong(message: str, param: str | None = None) -> ChatError:
    return ChatError(Code.BAD_REQUEST, message, param=param)
