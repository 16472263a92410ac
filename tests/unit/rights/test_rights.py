"""Rights: the rules are read again when their file changes, unless it is invalid."""

import logging
import os
from pathlib import Path

import pytest

from whipbird.rights import (
    EVERYBODY,
    Action,
    Grant,
    Inquiry,
    Need,
    Rights,
    RulesError,
    digest_of,
)
from whipbird.rights.rights import INTERVAL, MAX_SIZE

NEED = Need(Action.WATCH, "live")


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


class Guests:
    """Knows one guest, who has no token."""

    admits_strangers = True

    async def find(self, inquiry: Inquiry, now: float) -> Grant | None:
        if inquiry.client == "192.0.2.1":
            return Grant("guest", frozenset({Action.WATCH}))
        return None

    def reload(self) -> None: ...


def rules(token: str, more: str = "") -> str:
    return f"""
        [[tokens]]
        name = "one"
        hash = "{digest_of(token)}"
        actions = ["watch"]
        {more}
    """


async def name(rights: Rights, token: str | None, client: str = "") -> str | None:
    found = await rights.find(Inquiry(NEED, token, client=client))
    return None if found is None else found.name


def write(file: Path, text: str | bytes) -> None:
    file.write_bytes(text.encode() if isinstance(text, str) else text)


def remove(file: Path) -> None:
    file.unlink()


def replace(file: Path, text: str) -> None:
    """Put another file in its place, of the same size and time."""
    before = file.stat()
    other = file.with_name("other")
    other.write_text(text)
    assert other.stat().st_size == before.st_size
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rights.toml"
    file.write_text(rules("a"))
    return file


async def test_without_rules_everybody_may_do_everything() -> None:
    rights = Rights()
    assert rights.is_open
    assert rights.admits_strangers
    assert await rights.find(Inquiry(NEED, "anything")) is EVERYBODY
    assert all(EVERYBODY.allows(action, None) for action in Action)


async def test_a_token_and_a_file(file: Path) -> None:
    rights = Rights("chief", file)
    assert await name(rights, "chief") == "token"
    assert await name(rights, "a") == "one"
    assert await name(rights, "b") is None
    assert await name(rights, None) is None
    assert not rights.is_open
    assert not rights.admits_strangers


async def test_a_change_is_seen(file: Path) -> None:
    clock = Clock()
    rights = Rights("chief", file, clock=clock)
    write(file, rules("bc"))
    assert await name(rights, "a") == "one"
    clock.time += INTERVAL
    assert await name(rights, "a") is None
    assert await name(rights, "bc") == "one"
    assert await name(rights, "chief") == "token"


async def test_a_file_that_is_replaced_is_read(file: Path) -> None:
    clock = Clock()
    rights = Rights(file=file, clock=clock)
    replace(file, rules("b"))
    clock.time += INTERVAL
    assert await name(rights, "b") == "one"


@pytest.mark.parametrize(
    "data", [b"[[tokens]", b"\xff", b"#" * (MAX_SIZE + 1), b"[nobody]"]
)
async def test_an_invalid_file_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    clock = Clock()
    rights = Rights(file=file, clock=clock)
    write(file, data)
    for _ in range(3):
        clock.time += INTERVAL
        assert await name(rights, "a") == "one"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert str(file) in record.message
    assert not rights.reload()
    with pytest.raises(RulesError, match=str(file)):
        Rights(file=file)


async def test_a_file_that_is_missing_changes_nothing(file: Path) -> None:
    clock = Clock()
    rights = Rights(file=file, clock=clock)
    remove(file)
    clock.time += INTERVAL
    assert await name(rights, "a") == "one"
    write(file, rules("b"))
    clock.time += INTERVAL
    assert await name(rights, "b") == "one"
    with pytest.raises(RulesError, match="No such file"):
        Rights(file=file.with_name("none"))


async def test_reload(file: Path) -> None:
    rights = Rights(file=file)
    write(file, rules("b"))
    assert rights.reload()
    assert await name(rights, "b") == "one"


async def test_anonymous_clients(file: Path) -> None:
    write(file, rules("a", '[anonymous]\nactions = ["watch"]\nstreams = ["l*"]'))
    rights = Rights(file=file)
    assert rights.admits_strangers
    assert await name(rights, None) == "anonymous"
    # A wrong token is not taken for none.
    assert await name(rights, "b") is None
    other = Inquiry(Need(Action.WATCH, "other"))
    assert await rights.find(other) is None


async def test_others_are_asked_about_who_is_unknown(file: Path) -> None:
    rights = Rights(file=file, others=[Guests()])
    assert rights.admits_strangers
    assert await name(rights, None, "192.0.2.1") == "guest"
    assert await name(rights, "a", "192.0.2.1") == "one"
    assert await name(rights, "b", "192.0.2.2") is None


def test_a_list_needs_the_right_for_some_streams() -> None:
    grant = Grant("x", frozenset({Action.WATCH}), ("a",))
    assert Need(Action.WATCH, is_list=True).is_met_by(grant)
    assert not Need(Action.RECORD, is_list=True).is_met_by(grant)
    assert not Need(Action.WATCH).is_met_by(grant)
    assert Need(Action.WATCH, "a").is_met_by(grant)
