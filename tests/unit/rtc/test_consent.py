"""Consent to send (RFC 7675): given by answers, revoked, or expired."""

import pytest
from aioice.stun import Class, Message, Method

from tests.unit.rtc.conftest import Connect, Pair
from tests.waiting import until
from whipbird.rtc import ice_agent


@pytest.fixture
def consent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent checks that come at once."""
    monkeypatch.setattr(ice_agent, "CONSENT_INTERVAL", 0.02)


@pytest.mark.usefixtures("consent")
async def test_consent_is_kept_by_answers(connect: Connect) -> None:
    pair: Pair = await connect()
    agent = pair.server.transport.connection.agent
    until_when = agent.consent_until
    await until(lambda: agent.consent_until > until_when)


@pytest.mark.usefixtures("consent")
async def test_consent_is_not_given_by_anybody_else(connect: Connect) -> None:
    """RFC 7675 section 5.1: the answer is authenticated, and from the same address."""
    pair: Pair = await connect()
    agent = pair.server.transport.connection.agent
    selected = agent.selected_pair
    assert selected is not None
    assert agent.remote_password is not None
    # Nobody answers any more.
    for socket in pair.client.transport.connection.agent.sockets:
        socket.transport.abort()
    transactions = selected.protocol.transactions
    key = agent.remote_password.encode()
    for password, host, answered in (
        (b"x" * 22, selected.remote_addr[0], False),
        (key, "198.51.100.1", False),
        (key, selected.remote_addr[0], True),
    ):
        await until(lambda: transactions)
        [(transaction_id, check)] = transactions.items()
        before = agent.consent_until
        response = Message(Method.BINDING, Class.RESPONSE, transaction_id)
        response.add_message_integrity(password)
        check.response_received(response, (host, selected.remote_addr[1]))
        assert (agent.consent_until > before) is answered


@pytest.mark.usefixtures("consent")
@pytest.mark.parametrize(("code", "revoked"), [(403, True), (400, False)])
async def test_consent_is_revoked(connect: Connect, code: int, revoked: bool) -> None:
    """RFC 7675 section 5.2: by "a valid and authenticated STUN response with error code
    Forbidden (403)"; by no other."""
    pair: Pair = await connect()
    agent = pair.server.transport.connection.agent
    selected = agent.selected_pair
    assert selected is not None
    assert agent.remote_password is not None
    for socket in pair.client.transport.connection.agent.sockets:
        socket.transport.abort()
    transactions = selected.protocol.transactions
    await until(lambda: transactions)
    [(transaction_id, check)] = transactions.items()
    response = Message(Method.BINDING, Class.ERROR, transaction_id)
    response.attributes["ERROR-CODE"] = (code, "")
    response.add_message_integrity(agent.remote_password.encode())
    check.response_received(response, selected.remote_addr)
    assert (pair.server.transport.connection.selected_pair is None) is revoked
    if revoked:
        assert not transactions
        await until(lambda: pair.server.connectionState in ("failed", "closed"))
