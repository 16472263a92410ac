"""The chat of a stream, in virtual time."""

import json
from datetime import UTC, datetime
from typing import Any

from whipbird.streams.chat.room import HISTORY, REACTION_INTERVAL, Member, Room

NOON = datetime(2026, 11, 30, 12, 0, 0, 123_456, tzinfo=UTC)


class Someone:
    """A session in a room: what it says, and what it is told."""

    def __init__(self, room: Room, *, is_publisher: bool = False) -> None:
        self.heard: list[dict[str, Any]] = []
        self.room = room
        self.member = Member(
            lambda text: self.heard.append(json.loads(text)), is_publisher=is_publisher
        )
        room.join(self.member)

    def asks(self, now: float = 0.0, **request: object) -> dict[str, Any]:
        """Make a request. Returns what it is told last then."""
        data = json.dumps(request).encode()
        self.room.receive(self.member, data, now, is_text=True)
        return self.heard[-1]

    def says(self, text: str, now: float = 0.0, name: str = "Ada") -> dict[str, Any]:
        return self.asks(now, type="message", name=name, text=text)

    def reacts(self, emoji: str, now: float = 0.0) -> dict[str, Any]:
        return self.asks(now, type="reaction", emoji=emoji)


def a_room() -> Room:
    return Room("live", lambda: NOON)


def test_all_hear_a_message() -> None:
    room = a_room()
    viewer, other = Someone(room), Someone(room)
    publisher = Someone(room, is_publisher=True)
    assert viewer.heard == [
        {
            "type": "welcome",
            "role": "viewer",
            "emoji": ["👍", "❤️", "😂", "😮", "👏", "🎉"],
            "limits": {"name": 32, "text": 500},
            "history": 0,
        }
    ]
    assert publisher.heard[0]["role"] == "publisher"
    own = viewer.asks(type="message", name=" Ada ", text="Hel\nlo", ref="1")
    assert own.pop("ref") == "1"
    message_id = own["id"]
    assert own == {
        "type": "message",
        "id": message_id,
        "time": "2026-11-30T12:00:00.123Z",
        "from": "viewer",
        "name": "Ada",
        "text": "Hel lo",
    }
    assert other.heard[1:] == publisher.heard[1:] == [own]
    answer = publisher.says("Hi", name="live")
    assert (answer["from"], answer["name"]) == ("publisher", "live")
    assert viewer.heard[-1] == other.heard[-1] == answer
    assert answer["id"] != message_id
    assert (viewer.member.passed_on, viewer.member.refused) == (1, 0)


def test_who_has_left_hears_no_more() -> None:
    room = a_room()
    viewer, other = Someone(room), Someone(room)
    room.leave(other.member)
    viewer.says("Hello")
    assert len(other.heard) == 1


def test_who_comes_late_gets_the_last_messages() -> None:
    room = a_room()
    publisher = Someone(room, is_publisher=True)
    for number in range(HISTORY + 7):
        publisher.says(str(number), now=60.0 * number)
    late = Someone(room)
    assert late.heard[0]["history"] == HISTORY
    said = [message["text"] for message in late.heard[1:]]
    assert said == [str(number) for number in range(7, HISTORY + 7)]
    assert "ref" not in late.heard[-1]


def test_nobody_else_has_the_publishers_name() -> None:
    room = a_room()
    publisher = Someone(room, is_publisher=True)
    viewer = Someone(room)
    assert viewer.says("x", name="Grace Hopper")["type"] == "message"
    publisher.says("It is me", name="Grace Hopper")
    for number, name in enumerate(
        ("grace  hopper", "ＧＲＡＣＥ-HOPPER", "Live", "Publisher")  # noqa: RUF001
    ):
        answer = viewer.asks(type="message", name=name, text="x", ref=str(number))
        assert (answer["code"], answer["ref"]) == ("name-taken", str(number))
    # It may change its mind, and a name of signs alone is nobody's.
    publisher.says("Or me", name="Ada", now=9)
    assert viewer.says("x", name="Grace Hopper", now=9)["type"] == "message"
    publisher.says("!", name="!!!", now=20)
    assert viewer.says("x", name="???", now=20)["type"] == "message"


def test_one_session_cannot_flood_it() -> None:
    room = a_room()
    viewer, other = Someone(room), Someone(room)
    for _ in range(5):
        assert viewer.says("x")["type"] == "message"
    refused = viewer.says("x")
    assert refused == {
        "type": "refused",
        "code": "too-many",
        "detail": "You may send messages: 5 at once, and then one each 2 s. "
        "Try again in 2.0 s.",
        "retry_after": 2.0,
    }
    assert other.says("x")["type"] == "message"
    assert viewer.says("x", now=1.9)["retry_after"] == 0.1
    assert viewer.says("x", now=2.0)["type"] == "message"
    assert (viewer.member.passed_on, viewer.member.refused) == (6, 2)
    assert len(other.heard) == 8


def test_all_viewers_together_cannot_flood_it() -> None:
    room = a_room()
    publisher = Someone(room, is_publisher=True)
    viewers = [Someone(room) for _ in range(21)]
    answers = [viewer.says("x") for viewer in viewers]
    assert [answer["type"] for answer in answers] == [*20 * ["message"], "refused"]
    assert answers[-1]["code"] == "too-busy"
    assert answers[-1]["retry_after"] == 0.2
    # The publisher is heard all the same, and what was refused has cost nothing.
    assert publisher.says("Slowly", name="Host")["type"] == "message"
    last = viewers[-1]
    assert [last.says("x", now=100)["type"] for _ in range(5)] == 5 * ["message"]


def test_reactions_go_out_together() -> None:
    room = a_room()
    first, second = Someone(room), Someone(room)
    publisher = Someone(room, is_publisher=True)
    assert room.deadline is None
    first.reacts("👏", 7.0)
    first.reacts("👏", 7.1)
    second.reacts("🎉", 7.2)
    assert room.deadline == 7.0 + REACTION_INTERVAL
    room.handle_timeout(7.3)
    assert len(publisher.heard) == 1
    room.handle_timeout(room.deadline)
    together = {"type": "reactions", "counts": {"👏": 2, "🎉": 1}}
    assert first.heard[1:] == second.heard[1:] == publisher.heard[1:] == [together]
    assert room.deadline is None
    # Nobody who comes later is told.
    assert len(Someone(room).heard) == 1


def test_reactions_have_a_limit_of_their_own() -> None:
    room = a_room()
    viewer = Someone(room)
    for _ in range(10):
        viewer.reacts("👍")
    assert len(viewer.heard) == 1
    refused = viewer.reacts("👍")
    assert (refused["code"], refused["retry_after"]) == ("too-many", 0.5)
    assert viewer.says("x")["type"] == "message"


def test_what_is_malformed_is_answered_to_its_sender() -> None:
    room = a_room()
    viewer, other = Someone(room), Someone(room)
    room.receive(viewer.member, b"hello", 0.0, is_text=True)
    assert viewer.heard[-1]["code"] == "malformed"
    assert len(other.heard) == 1
    assert (viewer.member.passed_on, viewer.member.refused) == (0, 1)
