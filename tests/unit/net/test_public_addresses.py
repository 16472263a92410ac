"""Public addresses whose names get others, in virtual time."""

import asyncio
import logging

import pytest

from whipbird.net.public_addresses import LOOKUP_INTERVAL, PublicAddresses

pytestmark = pytest.mark.virtual_time

FIRST, SECOND, V6 = "203.0.113.5", "203.0.113.6", "2001:db8::5"
NAME = "media.example"

# Just after the names were looked up again.
A_WHILE = LOOKUP_INTERVAL + 0.1


class Resolver:
    """Name servers that say what the test wants, and count the questions."""

    def __init__(self, *found: str) -> None:
        self.found: list[str] | OSError = list(found)
        self.questions = 0

    async def __call__(self, name: str) -> list[str]:
        self.questions += 1
        await asyncio.sleep(0.01)
        if isinstance(self.found, OSError):
            raise self.found
        return self.found


async def test_names_are_followed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    resolver = Resolver(FIRST, V6)
    public = PublicAddresses([NAME, "192.0.2.1"], resolve=resolver)
    await public.open()
    expected: tuple[str, ...] = (FIRST, V6, "192.0.2.1")
    assert public.current == expected
    # Another order is no change.
    resolver.found = [V6, FIRST]
    await asyncio.sleep(A_WHILE)
    assert public.current == expected
    assert not caplog.messages
    resolver.found = [SECOND]
    await asyncio.sleep(LOOKUP_INTERVAL)
    assert public.current == (SECOND, "192.0.2.1")
    assert caplog.messages == [
        "The public address media.example is now 203.0.113.6, and was 203.0.113.5, "
        "2001:db8::5; new sessions are told"
    ]
    public.close()
    asked = resolver.questions
    await asyncio.sleep(10 * LOOKUP_INTERVAL)
    assert resolver.questions == asked == 3


@pytest.mark.parametrize("failure", [OSError("timed out"), []])
async def test_a_failure_keeps_what_is_known_and_is_told_once(
    caplog: pytest.LogCaptureFixture, failure: OSError | list[str]
) -> None:
    caplog.set_level(logging.INFO)
    resolver = Resolver(FIRST)
    public = PublicAddresses([NAME], resolve=resolver)
    await public.open()
    resolver.found = failure
    await asyncio.sleep(5 * A_WHILE)
    assert public.current == (FIRST,)
    (message,) = caplog.messages
    assert message.endswith("; it stays 203.0.113.5")
    resolver.found = [SECOND]
    await asyncio.sleep(A_WHILE)
    assert public.current == (SECOND,)
    assert len(caplog.messages) == 3
    public.close()


async def test_one_name_that_fails_does_not_stop_the_others() -> None:
    async def resolve(name: str) -> list[str]:
        if name == "gone.example" and is_late:
            raise OSError("gone")
        return [SECOND if is_late else FIRST]

    is_late = False
    public = PublicAddresses(["gone.example", NAME], resolve=resolve)
    await public.open()
    is_late = True
    await asyncio.sleep(A_WHILE)
    assert public.current == (FIRST, SECOND)
    public.close()


async def test_addresses_are_not_looked_up() -> None:
    resolver = Resolver()
    public = PublicAddresses([FIRST, V6], resolve=resolver)
    await public.open()
    await asyncio.sleep(A_WHILE)
    assert public.current == (FIRST, V6)
    assert resolver.questions == 0


async def test_a_name_without_an_address_at_the_start() -> None:
    public = PublicAddresses([NAME], resolve=Resolver())
    with pytest.raises(OSError, match=r"media\.example cannot be looked up: it has no"):
        await public.open()


@pytest.mark.parametrize(("version", "expected"), [(4, (FIRST,)), (6, (V6,))])
async def test_one_family(version: int, expected: tuple[str, ...]) -> None:
    public = PublicAddresses([NAME], version, Resolver(FIRST, V6))
    await public.open()
    assert public.current == expected
    public.close()
