"""Connectivity checks as STUN transactions (RFC 8445 section 7.2, 8489 6.2.1)."""

import math
from collections.abc import Callable

from ..path import Path
from .pairs import Pair

# RFC 8445 section 14.2: Ta, seconds from one new check to the next.
CHECK_INTERVAL = 0.02

# RFC 8445 section 14.3: the least RTO, in seconds.
MIN_RTO = 0.5

# Seconds from a transmission to the next when the peer is known to be there. libwebrtc
# sends checks every 50 ms until one is answered.
HASTY_RTO = 0.1

# RTOs to wait after each transmission of a request. RFC 8489 section 6.2.1 doubles them
# six times, so that it has sent four requests when the first 7 s are over, and with
# much loss that is often in vain. These are doubled twice, and twelve.
WAITS = (1, 2, *(4,) * 9, 16)

# RFC 8489 section 6.2.2: Ti, seconds to wait for an answer over TCP, where nothing is
# retransmitted.
TCP_WAIT = 39.5

# Checks that are sent once and may still be answered.
MAX_UNREPEATED = 8


class Check:
    """A request, and what is to be known when it is answered.

    Attributes:
        pair: what is checked.
        transaction_id: of the request.
        request: the message.
        controlling: the role in which it was sent.
        sent_at: when it was sent last.
        rto: seconds from the first transmission to the second.
        transmissions: how often it was sent, since it was last hastened.
        is_ambiguous: whether it was retransmitted, so that nobody knows to which
            transmission an answer belongs.
        due: when it is to be retransmitted, or has failed.
    """

    __slots__ = (
        "controlling",
        "due",
        "is_ambiguous",
        "pair",
        "request",
        "rto",
        "sent_at",
        "transaction_id",
        "transmissions",
    )

    def __init__(
        self,
        pair: Pair,
        transaction_id: bytes,
        request: bytes,
        *,
        controlling: bool,
    ) -> None:
        self.pair = pair
        self.transaction_id = transaction_id
        self.request = request
        self.controlling = controlling
        self.sent_at = -math.inf
        self.rto = MIN_RTO
        self.transmissions = 0
        self.is_ambiguous = False
        self.due = math.inf


class Checks:
    """The checks that have not been answered.

    Args:
        send: sends a request.

    Attributes:
        deadline: when ``handle_timeout`` is due.
        sent: how many requests were sent, retransmissions too.
    """

    __slots__ = ("_send", "_unrepeated", "_waiting", "deadline", "sent")

    def __init__(self, send: Callable[[bytes, Path], None]) -> None:
        self._send = send
        self._waiting: dict[bytes, Check] = {}
        self._unrepeated: list[bytes] = []
        self.deadline = math.inf
        self.sent = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, transaction_id: bytes) -> Check | None:
        """The check of a transaction."""
        return self._waiting.get(transaction_id)

    def of(self, pair: Pair) -> Check | None:
        """The check of a pair that is retransmitted."""
        for check in self._waiting.values():
            if check.pair is pair and check.due < math.inf:
                return check
        return None

    def start(self, check: Check, rto: float, now: float) -> None:
        """Send a check, and retransmit it until it is answered.

        Args:
            rto: seconds to the first retransmission.
        """
        self._waiting[check.transaction_id] = check
        check.rto = rto
        self._transmit(check, now)

    def start_unrepeated(self, check: Check, now: float) -> None:
        """Send a check once."""
        if len(self._unrepeated) >= MAX_UNREPEATED:
            self._waiting.pop(self._unrepeated.pop(0), None)
        self._unrepeated.append(check.transaction_id)
        self._waiting[check.transaction_id] = check
        check.sent_at = now
        self.sent += 1
        self._send(check.request, check.pair.path)

    def hasten(self, check: Check, now: float) -> None:
        """Retransmit soon, and then as from the beginning.

        That the peer sends on this path is a sign that it may now be open. RFC 8445
        section 7.3.1.4 wants a new transaction instead; this one does as well, and
        an answer to its earlier transmissions counts too. Over TCP there is nothing to
        do.
        """
        if check.pair.path.is_tcp:
            return
        check.transmissions = 0
        check.rto = MIN_RTO
        soon = max(now + CHECK_INTERVAL, check.sent_at + HASTY_RTO)
        check.due = min(check.due, soon)
        self._find_deadline()

    def end(self, check: Check) -> None:
        """Wait no more for the answer to a check."""
        if self._waiting.pop(check.transaction_id, None) is not None:
            self._find_deadline()

    def keep(self, wanted: Callable[[Check], bool]) -> None:
        """End all checks but those wanted."""
        self._waiting = {i: c for i, c in self._waiting.items() if wanted(c)}
        self._find_deadline()

    def handle_timeout(self, now: float) -> list[Check]:
        """Retransmit what is due.

        Returns:
            The checks that have been waited for in vain.
        """
        failed = []
        for check in [c for c in self._waiting.values() if c.due <= now]:
            if check.transmissions >= len(WAITS):
                del self._waiting[check.transaction_id]
                failed.append(check)
            else:
                self._transmit(check, now)
        self._find_deadline()
        return failed

    def _transmit(self, check: Check, now: float) -> None:
        check.is_ambiguous = check.sent_at > -math.inf
        check.sent_at = now
        if check.pair.path.is_tcp:
            check.due, check.transmissions = now + TCP_WAIT, len(WAITS)
        else:
            check.due = now + check.rto * WAITS[check.transmissions]
            check.transmissions += 1
        self.sent += 1
        self._send(check.request, check.pair.path)
        self._find_deadline()

    def _find_deadline(self) -> None:
        self.deadline = min((c.due for c in self._waiting.values()), default=math.inf)
