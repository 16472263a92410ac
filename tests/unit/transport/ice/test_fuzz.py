"""Nothing that arrives makes an ICE transport raise, or grow without bounds."""

import hmac
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transport.ice.link import End, Link, connect, pair_up, restart
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.ice import MAX_VERIFIED_PATHS
from whipbird.transport.path import Path
from whipbird.transport.stun import StunError, parse

CLIENT = ("192.0.2.1", 5000)
SERVER = ("198.51.100.1", 5000)
ADDRESSES = [CLIENT, SERVER, ("192.0.2.2", 1), ("2001:db8::1", 65535)]

paths = st.builds(Path, st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES))


@cache
def recorded() -> list[bytes]:
    """The messages of a connect, a restart and a role conflict."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    restart(link, client, server)
    link.run(10)
    a = End(link, "192.0.2.8", controlling=True)
    b = End(link, "192.0.2.9", controlling=True)
    a.start(b)
    b.start(a)
    link.run(1)
    return sorted({data for _, data, _ in link.sent})


def states() -> list[tuple[Link, End]]:
    """Servers before, in and after connecting, in a restart, and closed."""
    found = []
    for n in range(6):
        link = Link()
        client, server = pair_up(link, lite=n == 5)
        if n == 1:
            server.start(client)
        elif n:
            connect(link, client, server)
        if n == 3:
            restart(link, client, server)
        elif n == 4:
            server.ice.close()
        found.append((link, server))
    return found


def survive(data: bytes, path: Path) -> None:
    """Unless it happens to be authentic, it changes nothing either."""
    for link, server in states():
        before = server.ice.selected, set(server.verified)
        current = server.ice._current
        is_authentic = is_signed_with(
            data, server.ice.local, server.ice.remote, current.local, current.remote
        )
        server.ice.receive(data, path, link.now)
        assert is_authentic or before == (server.ice.selected, server.verified)
        server.ice.handle_timeout(link.now)


def is_signed_with(data: bytes, *credentials: IceCredentials | None) -> bool:
    try:
        message = parse(data)
    except StunError:
        return False
    return any(c and message.is_authentic(c.pwd.encode()) for c in credentials)


@settings(deadline=None)
@given(st.binary(max_size=150), paths)
def test_random_octets(data: bytes, path: Path) -> None:
    survive(data, path)


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), max_size=4),
    st.booleans(),
    paths,
)
def test_mutated_messages(
    number: int, changes: list[tuple[int, int]], has_fingerprint: bool, path: Path
) -> None:
    data = bytearray(recorded()[number % len(recorded())])
    for position, value in changes:
        data[position % len(data)] = value
    if not has_fingerprint:
        del data[-8:]
        data[2:4] = (len(data) - 20).to_bytes(2, "big")
    survive(bytes(data), path)


attributes = st.one_of(
    st.tuples(st.just(0x24), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(0x25), st.just(b"")),
    st.tuples(st.sampled_from([0x8029, 0x802A]), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(0x09), st.sampled_from([b"\0\0\x04\x57", b"\0\0\x04\x03"])),
    st.tuples(st.just(0x20), st.just(b"\0\1" + bytes(6))),
    st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9)),
)
messages = st.lists(
    st.tuples(
        st.sampled_from([0x0001, 0x0101, 0x0111]),
        st.lists(attributes, max_size=5),
        st.booleans(),
        st.integers(0, 5),
        paths,
        st.floats(0, 20),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(st.integers(0, 5), messages)
def test_an_authentic_peer_may_send_anything(state: int, sent: list[tuple]) -> None:  # type: ignore[type-arg]
    """With the right password, in the transactions that are under way."""
    link, server = states()[state]
    for message_type, values, is_next, number, path, wait in sent:
        local, remote = server.ice.local, server.ice.remote
        if not is_next and len(server.ufrags) > 1:
            local = server.ice._current.local
        known = [data[8:20] for _, data, p in link.sent if p.local == SERVER]
        transaction = known[-1 - number] if number < len(known) else bytes(12)
        key = local.pwd.encode()
        if message_type == 0x0001:
            values = [(0x06, f"{local.ufrag}:x".encode()), *values]
        elif remote is not None:
            key = remote.pwd.encode()
        server.ice.receive(
            signed(message_type, transaction, values, key), path, link.now
        )
        link.run(wait)
        assert len(server.verified) <= 3 * MAX_VERIFIED_PATHS
        assert server.ice.selected is None or server.ice.selected in server.verified
    link.run(100)


def signed(
    message_type: int, transaction: bytes, values: list[tuple[int, bytes]], key: bytes
) -> bytes:
    body = b"".join(
        attribute.to_bytes(2, "big")
        + len(value).to_bytes(2, "big")
        + value
        + bytes(-len(value) % 4)
        for attribute, value in values
    )
    start = message_type.to_bytes(2, "big") + (len(body) + 24).to_bytes(2, "big")
    covered = start + b"\x21\x12\xa4\x42" + transaction + body
    return covered + b"\0\x08\0\x14" + hmac.digest(key, covered, "sha1")


def test_the_recorded_messages_are_of_every_kind() -> None:
    kinds = set()
    for data in recorded():
        try:
            message = parse(data)
        except StunError:
            continue
        kinds.add((message.type, message.nominates, message.error_code))
    assert len(kinds) == 4
