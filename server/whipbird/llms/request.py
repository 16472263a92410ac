"""What a model is asked: read from JSON, with OpenAI's names of things."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..sdp.errors import quote
from .errors import bad_request
from .text import is_text

# What a request may have, at most: of each, more than any model can use.
MAX_MESSAGES = 2_000
MAX_NAME = 200
MAX_STOPS = 16
MAX_STOP = 200
MAX_TOKENS = 10_000_000
# Objects and lists within each other in a schema: far less than what can be read, but
# not written again where more calls are under way.
MAX_NESTING = 100

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}

# Members of OpenAI's requests that concern accounts, billing and caches: nothing in a
# reply depends on them.
_WITHOUT_EFFECT = frozenset(
    {
        *("metadata", "prompt_cache_key", "safety_identifier", "service_tier"),
        *("store", "user"),
    }
)

# Members that say what is the case here anyway; any other value is refused.
_FIXED: Mapping[str, tuple[object, ...]] = {
    "n": (1, None),
    "logprobs": (False, None),
    "top_logprobs": (0, None),
    "logit_bias": ({}, None),
    "tools": ([], None),
    "tool_choice": ("none", "auto", None),
    "parallel_tool_calls": (True, False, None),
    "functions": ([], None),
    "function_call": ("none", "auto", None),
    "modalities": (["text"], None),
}


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation.

    Attributes:
        role: ``system``, ``user`` or ``assistant``.
    """

    role: str
    text: str


@dataclass(frozen=True)
class ChatRequest:
    """A request to a model.

    Attributes:
        messages: the conversation; the last one is the user's, and is to be answered.
        model: its name; None for the default.
        options: those that were given, by OpenAI's names; ``stop`` is a list.
        schema: the JSON schema that the reply is to follow.
        conversation: the id under which it is logged; None to find it in the log.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    schema: Mapping[str, Any] | None = None
    conversation: str | None = None


def read_request(value: Any, others: Set[str] = frozenset()) -> ChatRequest:
    """Read a request.

    Args:
        value: the decoded JSON.
        others: members that the caller reads itself.

    Raises:
        ChatError: when it is malformed, or has what is not supported; it names the
            member.
    """
    if not isinstance(value, dict):
        raise bad_request("The request must be a JSON object.")
    options: dict[str, Any] = {}
    schema: Mapping[str, Any] | None = None
    for name, given in value.items():
        if name in ("messages", "model") or name in others or name in _WITHOUT_EFFECT:
            continue
        if name in _FIXED:
            # In Python True would be 1.
            if not any(
                type(given) is type(one) and given == one for one in _FIXED[name]
            ):
                raise bad_request(f"{name} is not supported here.", name)
        elif name == "response_format":
            schema = _read_format(given, options)
        elif name not in _OPTIONS:
            known = ", ".join(sorted(_OPTIONS))
            raise bad_request(
                f'There is no parameter "{quote(name)}"; there are: {known}.',
                quote(name),
            )
        elif given is not None:
            used = "max_tokens" if name == "max_completion_tokens" else name
            options[used] = _OPTIONS[name](name, given)
    messages = _read_messages(value.get("messages"))
    if messages[-1].role != "user":
        raise bad_request(
            "The last message must be the user's: it is what the model answers.",
            "messages",
        )
    if not messages[-1].text:
        raise bad_request("The last message is empty.", "messages")
    model = value.get("model")
    if model is not None:
        _check_text("model", model, MAX_NAME)
    return ChatRequest(messages, model or None, MappingProxyType(options), schema)


def _read_messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise bad_request(
            "messages must be a list with a message at least.", "messages"
        )
    if len(value) > MAX_MESSAGES:
        raise bad_request(
            f"There are {len(value)} messages, more than {MAX_MESSAGES}.", "messages"
        )
    return tuple(_read_message(f"messages[{i}]", one) for i, one in enumerate(value))


def _read_message(where: str, value: Any) -> Message:
    if not isinstance(value, dict):
        raise bad_request(f"{where} is not an object.", where)
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        known = ", ".join(_ROLES)
        raise bad_request(f"{where}.role must be one of: {known}.", f"{where}.role")
    if value.get("tool_calls"):
        raise bad_request(f"{where} has tool calls; there are no tools here.", where)
    return Message(
        _ROLES[role], _read_content(f"{where}.content", value.get("content"))
    )


def _read_content(where: str, value: Any) -> str:
    """The text of a message: a string, or a list of parts that are text."""
    if isinstance(value, str):
        return _printable(where, value)
    if not isinstance(value, list) or not value:
        raise bad_request(f"{where} must be text, or a list of parts.", where)
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise bad_request(f"{where} may have parts of text only.", where)
        if not isinstance(part.get("text"), str):
            raise bad_request(f"{where} has a part without text.", where)
        texts.append(_printable(where, part["text"]))
    return "".join(texts)


def _read_format(value: Any, options: dict[str, Any]) -> Mapping[str, Any] | None:
    """The schema that the reply is to follow, if any."""
    name = "response_format"
    kind = value.get("type") if isinstance(value, dict) else None
    if value is None or kind == "text":
        return None
    if kind == "json_object":
        options["json_object"] = True
        return None
    if kind == "json_schema":
        described = value.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        if isinstance(schema, dict) and schema:
            _check_schema(f"{name}.json_schema.schema", schema)
            return schema
        raise bad_request(f"{name}.json_schema.schema must be an object.", name)
    raise bad_request(
        f"{name}.type must be text, json_object or json_schema.", f"{name}.type"
    )


def _check_schema(name: str, value: Any, nesting: int = 0) -> None:
    """Check that what was read from JSON can be written as JSON in UTF-8."""
    if isinstance(value, str):
        _printable(name, value)
    elif isinstance(value, dict | list):
        if nesting == MAX_NESTING:
            raise bad_request(f"{name} is nested more than {MAX_NESTING} deep.", name)
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for one in inner:
            _check_schema(name, one, nesting + 1)


def _printable(name: str, value: str) -> str:
    """Text that can be encoded: JSON can have half of a pair of surrogates."""
    if not is_text(value):
        raise bad_request(f"{name} has half of a surrogate pair.", name)
    return value


def _check_text(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise bad_request(f"{name} must be text of up to {longest} characters.", name)
    return _printable(name, value)


def _number(least: float, most: float) -> Callable[[str, Any], float]:
    def read(name: str, value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            # Not so of NaN, either.
            or not least <= value <= most
        ):
            raise bad_request(f"{name} must be from {least:g} to {most:g}.", name)
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(name: str, value: Any) -> int:
        # JSON's true would be an int in Python.
        if type(value) is not int or not least <= value <= most:
            raise bad_request(
                f"{name} must be a whole number from {least} to {most}.", name
            )
        return value

    return read


def _read_stops(name: str, value: Any) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not 0 < len(stops) <= MAX_STOPS:
        raise bad_request(
            f"{name} must be text, or a list of up to {MAX_STOPS} texts.", name
        )
    return [_check_text(name, stop, MAX_STOP) for stop in stops]


_OPTIONS: Mapping[str, Callable[[str, Any], Any]] = {
    "max_tokens": _whole(1, MAX_TOKENS),
    "max_completion_tokens": _whole(1, MAX_TOKENS),
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "top_k": _whole(0, MAX_TOKENS),
    "min_p": _number(0, 1),
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
    "repeat_penalty": _number(0, 10),
    "seed": _whole(-(2**63), 2**63 - 1),
    "stop": _read_stops,
}
