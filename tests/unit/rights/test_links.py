"""Links for viewers: what they permit, and how long."""

import logging
from datetime import UTC, datetime

import pytest

from whipbird.rights import (
    EVERYBODY,
    Action,
    Expired,
    Grant,
    Inquiry,
    Need,
    Purpose,
    Rights,
    Signed,
    Signer,
    ViewerLinks,
)

NOW = 1_000_000.0
MAKER = Grant("studio", frozenset({Action.PUBLISH}), ("live",))


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def links(signer: Signer) -> ViewerLinks:
    return ViewerLinks(signer, lambda: NOW)


def test_it_permits_to_watch_one_stream(links: ViewerLinks) -> None:
    token, expires = links.make("live", 600, MAKER)
    assert expires == datetime.fromtimestamp(NOW + 600, UTC)
    grant = links.find(token, NOW + 599)
    assert grant is not None
    assert grant.expires == NOW + 600
    permitted = {
        (action, stream)
        for action in Action
        for stream in ("live", "live2", "liv", "other", None)
        if grant.allows(action, stream)
    }
    assert permitted == {(Action.WATCH, "live")}


def test_it_expires(links: ViewerLinks) -> None:
    token, expires = links.make("live", 600, MAKER)
    for late in (600, 601, 1e9):
        with pytest.raises(Expired) as caught:
            links.find(token, NOW + late)
        assert caught.value.at == expires


def test_it_ends_with_the_rights_of_its_maker(links: ViewerLinks) -> None:
    """A token for a time makes none for longer."""
    ends = NOW + 120.5
    maker = Grant("jwt ann", frozenset({Action.PUBLISH}), ("live",), ends)
    _, expires = links.make("live", 600, maker)
    assert expires == datetime.fromtimestamp(NOW + 120, UTC)


def test_each_has_a_name_of_its_own(links: ViewerLinks, signer: Signer) -> None:
    """So a session belongs to the link that opened it."""
    found = [links.find(links.make("live", 600, MAKER)[0], NOW) for _ in range(2)]
    # One that was signed elsewhere needs no id.
    for ends in (500, 600):
        signed = signer.sign(Signed(Purpose.WATCH, "live", int(NOW) + ends))
        found.append(links.find(signed, NOW))
    names = {grant.name for grant in found if grant is not None}
    assert len(names) == 4
    assert all(name.startswith("link ") for name in names)


def test_what_is_no_link(links: ViewerLinks, signer: Signer) -> None:
    ticket = signer.sign(Signed(Purpose.DOWNLOAD, "live", int(NOW) + 600))
    # Whoever has the secret may sign; a glob is no stream.
    glob = signer.sign(Signed(Purpose.WATCH, "*", int(NOW) + 600, "id"))
    other, _ = ViewerLinks(Signer(), lambda: NOW).make("live", 600, MAKER)
    for token in (ticket, glob, other, "token"):
        assert links.find(token, NOW) is None


def test_the_log_says_who_made_it(
    links: ViewerLinks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    token, _ = links.make("live", 600, MAKER)
    grant = links.find(token, NOW)
    assert grant is not None
    assert f"viewers of live was made by studio: {grant.name[5:]}," in caplog.text
    assert token not in caplog.text


async def test_rights_know_links(links: ViewerLinks) -> None:
    """They come before those who are asked about strangers, and are no rules."""
    token, _ = links.make("live", 600, MAKER)
    need = Need(Action.WATCH, "live")
    assert Rights(links=links).is_open
    assert await Rights(links=links).find(Inquiry(need, token)) is EVERYBODY
    rights = Rights("secret", links=links, now=lambda: NOW)
    grant = await rights.find(Inquiry(need, token))
    assert grant is not None
    assert grant.allows(Action.WATCH, "live")
    assert await rights.find(Inquiry(need, "other")) is None
    later = Rights("secret", links=links, now=lambda: NOW + 700)
    with pytest.raises(Expired):
        await later.find(Inquiry(need, token))
