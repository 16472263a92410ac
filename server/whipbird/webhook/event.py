"""Events, and how they are written."""

import enum
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


class EventType(enum.StrEnum):
    """What has happened."""

    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"
    WATCHED = "watched"
    LEFT = "left"
    RECORDED = "recorded"
    RECORDING_FAILED = "recording_failed"


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return f"evt_{secrets.token_urlsafe(16)}"


@dataclass(frozen=True, slots=True)
class Event:
    """An event.

    Attributes:
        type: what has happened.
        stream: the name of the stream.
        details: more members of the JSON object, by type.
        id: unique; a repeated delivery has the same.
        time: when it happened.
    """

    type: EventType
    stream: str
    details: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=_new_id)
    time: datetime = field(default_factory=_now)

    def body(self) -> bytes:
        """The JSON object that is sent."""
        moment = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps(
            {
                "id": self.id,
                "type": str(self.type),
                "time": moment,
                "stream": self.stream,
                **self.details,
            }
        ).encode()
