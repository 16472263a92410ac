"""Datagrams to the session that they are for, and sessions woken when they are due."""

import gc
import math
import random
import weakref
from struct import pack

import pytest

from whipbird.net.dispatcher import PREFIX_LENGTH, Dispatcher
from whipbird.net.route import HANDSHAKE_TIME, HEARD_LIFETIME, MAX_SHARING
from whipbird.transport.path import Path

LOCAL = ("192.0.2.1", 8080)
OTHER_LOCAL = ("192.0.2.2", 8080)
REMOTE = ("198.51.100.7", 5000)


class Session:
    """Takes what begins with one of its marks, and notes what is called."""

    def __init__(self, *marks: bytes, error: Exception | None = None) -> None:
        self.deadline = math.inf
        self.awaits_handshake = False
        self.received: list[tuple[bytes, Path, float]] = []
        self.offered = 0
        self.flushed: list[float] = []
        self.woken: list[float] = []
        self.failures: list[Exception] = []
        self.closed: list[Path] = []
        self._marks = marks
        self._error = error

    def shakes_hands_on(self, path: Path) -> bool:
        return False

    def receive(self, datagram: bytes, path: Path, now: float) -> bool:
        self.offered += 1
        if self._error is not None:
            raise self._error
        if not datagram.startswith(self._marks):
            return False
        self.received.append((datagram, path, now))
        return True

    def flush(self, now: float) -> None:
        self.flushed.append(now)

    def handle_timeout(self, now: float) -> None:
        self.woken.append(now)
        if self._error is not None:
            raise self._error
        self.deadline = math.inf

    def path_closed(self, path: Path, now: float) -> None:
        self.closed.append(path)
        if self._error is not None:
            raise self._error

    def fail(self, error: Exception) -> None:
        self.failures.append(error)


def dispatcher() -> Dispatcher:
    return Dispatcher(lambda: None)


def attached(
    to: Dispatcher, *marks: bytes, prefix: bytes = b"1111", path: Path | None = None
) -> Session:
    session = Session(*(marks or (b"\x80", b"\x00", b"\x01")))
    to.attach(session, prefix)
    if path is not None:
        to.route_path(session, path, 0.0)
    return session


def request(username: bytes, before: bytes = b"") -> bytes:
    attributes = before + pack("!HH", 6, len(username)) + username
    attributes += bytes(-len(attributes) % 4)
    return pack("!HHI", 1, len(attributes), 0x2112A442) + bytes(12) + attributes


def response(prefix: bytes) -> bytes:
    return pack("!HHI", 0x101, 0, 0x2112A442) + prefix + bytes(8)


# STUN


def test_requests_go_by_their_ufrag_wherever_they_come_from() -> None:
    to = dispatcher()
    a, b = attached(to, prefix=b"aaaa"), attached(to, prefix=b"bbbb")
    to.route_ufrags(a, (), ("ufragA",))
    to.route_ufrags(b, (), ("ufragB", "nextB"))
    to.route_path(a, Path(LOCAL, REMOTE), 0.0)
    for username in (b"ufragB:them", b"nextB:them"):
        to.receive(request(username), LOCAL, REMOTE, 1.0)
    assert not a.received
    assert [path for _, path, _ in b.received] == 2 * [Path(LOCAL, REMOTE)]


def test_the_user_name_is_found_behind_other_attributes() -> None:
    to = dispatcher()
    session = attached(to)
    to.route_ufrags(session, (), ("ufrag",))
    before = pack("!HHI", 0x24, 4, 1) + pack("!HH", 0x8022, 3) + b"abc\0"
    to.receive(request(b"ufrag:them", before), LOCAL, REMOTE, 0.0)
    assert len(session.received) == 1


def test_a_ufrag_that_is_given_up_is_nobodys() -> None:
    to = dispatcher()
    session = attached(to)
    to.route_ufrags(session, (), ("one", "two"))
    to.route_ufrags(session, ("one", "two"), ("two", "three"))
    for name in (b"one", b"two", b"three"):
        to.receive(request(name + b":x"), LOCAL, REMOTE, 0.0)
    assert len(session.received) == 2
    assert to.stats.unknown_stun == 1


def test_requests_that_are_not_authentic_are_counted() -> None:
    """From wherever they come; a second response to one request is no sign of that."""
    to = dispatcher()
    session = attached(to, b"nothing", prefix=b"aaaa", path=Path(LOCAL, REMOTE))
    to.route_ufrags(session, (), ("ufrag",))
    for remote in (REMOTE, ("203.0.113.9", 1)):
        to.receive(request(b"ufrag:them"), LOCAL, remote, 0.0)
    to.receive(response(b"aaaa"), LOCAL, REMOTE, 0.0)
    assert session.offered == 3
    assert to.stats.refused == 2
    assert to.stats.unknown_stun == 0


def test_responses_go_by_their_transaction() -> None:
    to = dispatcher()
    a, b = attached(to, prefix=b"aaaa"), attached(to, prefix=b"bbbb")
    to.receive(response(b"bbbb"), LOCAL, REMOTE, 0.0)
    to.receive(response(b"cccc"), LOCAL, REMOTE, 0.0)
    assert (a.offered, b.offered) == (0, 1)
    assert to.stats.unknown_stun == 1


@pytest.mark.parametrize("seed", range(20))
def test_no_octets_are_a_fault(seed: int) -> None:
    rng = random.Random(seed)
    to = dispatcher()
    session = attached(to, path=Path(LOCAL, REMOTE))
    to.route_ufrags(session, (), ("ufrag",))
    valid = request(b"ufrag:them", pack("!HHI", 0x24, 4, 1))
    for _ in range(500):
        data = bytearray(valid)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        to.receive(bytes(data[: rng.randrange(len(data) + 1)]), LOCAL, REMOTE, 0.0)
        to.receive(rng.randbytes(rng.randrange(40)), LOCAL, REMOTE, 0.0)
    assert not session.failures


# Paths


def test_the_rest_goes_by_its_path_once_that_is_verified() -> None:
    to = dispatcher()
    session = attached(to)
    to.receive(b"\x80early", LOCAL, REMOTE, 0.0)
    assert to.stats.unknown_address == 1
    to.route_path(session, Path(LOCAL, REMOTE), 0.0)
    to.receive(b"\x80now", LOCAL, REMOTE, 2.0)
    assert session.received == [(b"\x80now", Path(LOCAL, REMOTE), 2.0)]
    to.forget_path(session, Path(LOCAL, REMOTE))
    to.receive(b"\x80late", LOCAL, REMOTE, 3.0)
    assert to.stats.unknown_address == 2
    assert not to.is_used(LOCAL)


def test_one_remote_address_may_be_two_clients_on_two_local_addresses() -> None:
    """A NAT with address-dependent mapping gives one port to several of its hosts."""
    to = dispatcher()
    a = attached(to, prefix=b"aaaa", path=Path(LOCAL, REMOTE))
    b = attached(to, prefix=b"bbbb", path=Path(OTHER_LOCAL, REMOTE))
    to.receive(b"\x80a", LOCAL, REMOTE, 0.0)
    to.receive(b"\x80b", OTHER_LOCAL, REMOTE, 0.0)
    assert [data for data, _, _ in a.received] == [b"\x80a"]
    assert [data for data, _, _ in b.received] == [b"\x80b"]


def test_clients_that_share_a_path_get_what_is_theirs() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    a = attached(to, b"\x80a", prefix=b"aaaa", path=path)
    b = attached(to, b"\x80b", prefix=b"bbbb", path=path)
    for data in (b"\x80a", b"\x80b", b"\x80a", b"\x80c"):
        to.receive(data, LOCAL, REMOTE, 0.0)
    assert [data for data, _, _ in a.received] == [b"\x80a", b"\x80a"]
    assert [data for data, _, _ in b.received] == [b"\x80b"]
    assert to.stats.refused == 1


def test_a_path_that_moves_to_another_session_keeps_what_belongs_to_the_first() -> None:
    """Whoever passes a check of a session of its own takes nothing from another."""
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    victim = attached(to, b"\x80victim", prefix=b"aaaa", path=path)
    attacker = attached(to, b"\x80attacker", prefix=b"bbbb", path=path)
    to.receive(b"\x80victim's", LOCAL, REMOTE, 0.0)
    assert len(victim.received) == 1
    assert not attacker.received
    to.forget_path(attacker, path)
    to.receive(b"\x80victim's", LOCAL, REMOTE, 0.0)
    assert len(victim.received) == 2


def test_the_session_that_was_verified_last_is_asked_first() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    a = attached(to, prefix=b"aaaa", path=path)
    b = attached(to, prefix=b"bbbb", path=path)
    to.receive(b"\x80", LOCAL, REMOTE, 0.0)
    to.route_path(a, path, 0.0)
    to.receive(b"\x80", LOCAL, REMOTE, 0.0)
    assert (a.offered, b.offered) == (1, 1)


def test_sessions_on_one_path_are_bounded() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    sessions = [
        attached(to, b"no", prefix=pack("!I", n), path=path)
        for n in range(3 * MAX_SHARING)
    ]
    to.receive(b"\x80", LOCAL, REMOTE, 0.0)
    assert sum(session.offered for session in sessions) == MAX_SHARING


def test_a_session_that_is_heard_is_not_driven_out() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    victim = attached(to, b"\x80victim", prefix=b"vict", path=path)
    for n in range(10 * MAX_SHARING):
        attacker = attached(to, b"\x80" + pack("!I", n), prefix=pack("!I", n))
        to.route_path(attacker, path, n / 10)
        to.receive(b"\x80" + pack("!I", n), LOCAL, REMOTE, n / 10)
        to.receive(b"\x80victim's", LOCAL, REMOTE, n / 10)
    assert len(victim.received) == 10 * MAX_SHARING


def test_sessions_that_have_fallen_silent_give_way() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    for n in range(MAX_SHARING):
        attached(to, b"no", prefix=pack("!I", n), path=path)
    late = attached(to, b"\x80late", prefix=b"late")
    to.route_path(late, path, HEARD_LIFETIME - 0.1)
    to.receive(b"\x80late", LOCAL, REMOTE, HEARD_LIFETIME - 0.1)
    assert not late.received
    to.route_path(late, path, HEARD_LIFETIME)
    to.receive(b"\x80late", LOCAL, REMOTE, HEARD_LIFETIME)
    assert len(late.received) == 1


def test_the_session_that_was_heard_last_is_asked_first() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    a = attached(to, b"\x80a", prefix=b"aaaa", path=path)
    b = attached(to, b"\x80b", prefix=b"bbbb", path=path)
    for _ in range(10):
        to.receive(b"\x80a", LOCAL, REMOTE, 0.0)
    assert len(a.received) == 10
    assert b.offered == 1


def test_an_empty_datagram_is_nothing() -> None:
    to = dispatcher()
    session = attached(to, path=Path(LOCAL, REMOTE))
    to.receive(b"", LOCAL, REMOTE, 0.0)
    assert session.offered == 0


# Turns


def test_sessions_are_flushed_once_for_all_their_datagrams() -> None:
    to = dispatcher()
    session = attached(to, b"\x14", path=Path(LOCAL, REMOTE))
    idle = attached(to, prefix=b"idle")
    for _ in range(5):
        to.receive(b"\x14", LOCAL, REMOTE, 1.0)
    assert not session.flushed
    to.flush(1.5)
    to.flush(1.6)
    assert session.flushed == [1.5]
    assert not idle.flushed


def test_media_needs_no_flush() -> None:
    to = dispatcher()
    session = attached(to, path=Path(LOCAL, REMOTE))
    to.receive(b"\x80", LOCAL, REMOTE, 1.0)
    to.flush(1.0)
    assert len(session.received) == 1
    assert not session.flushed


def test_a_fault_ends_its_session_and_no_other() -> None:
    to = dispatcher()
    error = RuntimeError("a bug")
    broken = Session(error=error)
    to.attach(broken, b"bbbb")
    to.route_path(broken, Path(LOCAL, REMOTE), 0.0)
    sound = attached(to, path=Path(LOCAL, ("198.51.100.8", 1)))
    to.receive(b"\x80", LOCAL, REMOTE, 0.0)
    to.receive(b"\x80", LOCAL, ("198.51.100.8", 1), 0.0)
    assert broken.failures == [error]
    assert len(sound.received) == 1
    broken.deadline = 1.0
    to.arm(broken)
    to.handle_timeout(1.0)
    assert broken.failures == [error, error]


# Time


def test_sessions_are_woken_when_they_are_due() -> None:
    told: list[float] = []
    to = Dispatcher(lambda: told.append(to.deadline))
    a, b = attached(to, prefix=b"aaaa"), attached(to, prefix=b"bbbb")
    for session, deadline in ((a, 5.0), (b, 3.0)):
        session.deadline = deadline
        to.arm(session)
    assert told == [5.0, 3.0]
    to.handle_timeout(2.9)
    assert not b.woken
    to.handle_timeout(3.0)
    assert (a.woken, b.woken) == ([], [3.0])
    assert b.flushed == [3.0]
    to.handle_timeout(10.0)
    assert a.woken == [10.0]
    assert to.deadline == math.inf


def test_a_deadline_that_moves_back_is_looked_at_when_the_old_one_comes() -> None:
    to = dispatcher()
    session = attached(to)
    session.deadline = 1.0
    to.arm(session)
    session.deadline = 4.0
    to.arm(session)
    to.handle_timeout(1.0)
    assert not session.woken
    assert to.deadline == 4.0
    to.handle_timeout(4.0)
    assert session.woken == [4.0]


def test_deadlines_that_come_near_for_a_moment_leave_nothing_behind() -> None:
    to = dispatcher()
    session = attached(to)
    session.deadline = 1000.0
    to.arm(session)
    for n in range(1000):
        session.deadline = n + 0.04
        to.arm(session)
        to.handle_timeout(n + 0.04)
        session.deadline = 1000.0
        to.arm(session)
    assert len(session.woken) == 1000
    assert len(to._timers) <= 2


def test_a_session_that_has_gone_is_neither_flushed_nor_woken() -> None:
    to = dispatcher()
    session = attached(to, path=Path(LOCAL, REMOTE))
    to.route_ufrags(session, (), ("ufrag",))
    session.deadline = 1.0
    to.arm(session)
    to.receive(b"\x80", LOCAL, REMOTE, 0.0)
    to.detach(session, b"1111")
    to.flush(0.5)
    to.handle_timeout(2.0)
    assert not session.flushed
    assert not session.woken
    assert to.endpoints == 0
    to.arm(session)
    assert to.deadline == math.inf


def test_prefixes_have_their_length() -> None:
    assert PREFIX_LENGTH == 4
    to = dispatcher()
    attached(to, prefix=b"abcd")
    assert to.has_prefix(b"abcd")
    assert not to.has_prefix(b"abce")


def test_a_session_that_has_gone_is_held_by_nothing() -> None:
    """Though it would have been woken in an hour."""
    to = Dispatcher(lambda: None)
    session = Session()
    to.attach(session, b"one.")
    session.deadline = 3600.0
    to.arm(session)
    to.touch(session)
    to.detach(session, b"one.")
    reference = weakref.ref(session)
    del session
    gc.collect()
    assert reference() is None
    to.handle_timeout(3600.0)
    assert to.deadline == math.inf


# Handshakes that share a path


def shaking(to: Dispatcher, name: bytes) -> Session:
    """A session that waits for its client's handshake, and has a user name."""
    session = attached(to, b"\x00", b"\x16", prefix=name)
    session.awaits_handshake = True
    to.route_ufrags(session, (), (name.decode(),))
    return session


def test_sessions_of_one_path_shake_hands_in_turn() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    a, b = shaking(to, b"aaaa"), shaking(to, b"bbbb")
    to.route_path(a, path, 0.0)
    to.receive(request(b"bbbb:x"), LOCAL, REMOTE, 0.1)
    assert not b.received
    # Elsewhere it need not wait, nor does who has the turn.
    to.receive(request(b"bbbb:x"), OTHER_LOCAL, REMOTE, 0.1)
    to.receive(request(b"aaaa:x"), LOCAL, REMOTE, 0.1)
    assert (len(a.received), len(b.received)) == (1, 1)
    # What has waited is answered as soon as the turn is over.
    a.awaits_handshake = False
    to.receive(b"\x16", LOCAL, REMOTE, 0.2)
    assert (len(a.received), len(b.received)) == (2, 2)


def test_a_handshake_that_does_not_come_keeps_others_waiting_for_a_while_only() -> None:
    to = dispatcher()
    a, b = shaking(to, b"aaaa"), shaking(to, b"bbbb")
    to.route_path(a, Path(LOCAL, REMOTE), 0.0)
    to.receive(request(b"bbbb:x"), LOCAL, REMOTE, HANDSHAKE_TIME - 0.1)
    assert not b.received
    to.receive(request(b"bbbb:x"), LOCAL, REMOTE, HANDSHAKE_TIME)
    assert b.received


def test_a_check_without_the_password_does_not_get_the_turn() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    session = attached(to, prefix=b"dddd", path=path)
    a, b = shaking(to, b"aaaa"), shaking(to, b"bbbb")
    a._marks = (b"\x16",)  # takes no check
    to.receive(request(b"aaaa:x"), LOCAL, REMOTE, 0.1)
    assert a.offered == 1
    assert not a.received
    to.receive(request(b"bbbb:x"), LOCAL, REMOTE, 0.2)
    assert b.received
    assert not session.received


def test_a_session_that_ends_gives_its_turn_away() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    a, b, c = shaking(to, b"aaaa"), shaking(to, b"bbbb"), attached(to, prefix=b"cccc")
    to.route_path(c, path, 0.0)
    to.route_path(a, path, 0.0)
    to.forget_path(a, path)
    to.receive(request(b"bbbb:x"), LOCAL, REMOTE, 0.1)
    assert b.received


def test_a_session_without_room_gets_it_with_a_later_check() -> None:
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    first = [
        attached(to, b"no", prefix=pack("!I", n), path=path) for n in range(MAX_SHARING)
    ]
    late = attached(to, b"\x80", b"\x00", prefix=b"late")
    to.route_ufrags(late, (), ("late",))
    to.route_path(late, path, 1.0)
    to.receive(b"\x80", LOCAL, REMOTE, 1.0)
    assert not late.received
    to.forget_path(first[0], path)
    to.receive(request(b"late:x"), LOCAL, REMOTE, 2.0)
    to.receive(b"\x80", LOCAL, REMOTE, 2.0)
    assert [data[:1] for data, _, _ in late.received] == [b"\x00", b"\x80"]
    for session in (*first, late):
        to.forget_path(session, path)
    assert not to.is_used(LOCAL)


def test_a_session_whose_checks_come_is_not_driven_out() -> None:
    """Idle channels send nothing else."""
    to = dispatcher()
    path = Path(LOCAL, REMOTE)
    idle = attached(to, b"\x80", b"\x00", prefix=b"idle", path=path)
    to.route_ufrags(idle, (), ("idle",))
    for n in range(MAX_SHARING - 1):
        attached(to, b"no", prefix=pack("!I", n), path=path)
    to.receive(request(b"idle:x"), LOCAL, REMOTE, HEARD_LIFETIME)
    other = attached(to, b"no", prefix=b"more")
    to.route_path(other, path, HEARD_LIFETIME + 1)
    to.receive(b"\x80", LOCAL, REMOTE, HEARD_LIFETIME + 1)
    assert len(idle.received) == 2


@pytest.mark.expects_fault
def test_what_fails_while_a_session_fails_reaches_no_other() -> None:
    class Broken(Session):
        def fail(self, error: Exception) -> None:
            raise error

    to = dispatcher()
    broken = Broken(error=RuntimeError("a fault"))
    to.attach(broken, b"brok")
    other = attached(to)
    for session in (broken, other):
        session.deadline = 1.0
        to.arm(session)
    to.handle_timeout(1.0)
    assert other.woken == [1.0]
    assert to.faults.count == 1
    assert not to.in_turn
