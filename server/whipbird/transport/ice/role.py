"""The role of an ICE agent, and conflicts about it (RFC 8445 section 7.3.1.1)."""

import random

from ..stun import StunMessage


class Role:
    """Controlling or controlled. An ICE restart keeps it.

    Args:
        controlling: the role to begin with.
        lite: whether this side is a lite agent, which never controls a full one
            (RFC 8445 section 6.1.1).

    Attributes:
        controlling: whether this side nominates.
        tie_breaker: 64 random bits.
    """

    __slots__ = ("_lite", "_rng", "controlling", "tie_breaker")

    def __init__(self, *, controlling: bool, lite: bool, rng: random.Random) -> None:
        self.controlling = controlling and not lite
        self.tie_breaker = rng.getrandbits(64)
        self._lite = lite
        self._rng = rng

    def accepts(self, request: StunMessage) -> bool:
        """Settle the conflict that an authentic request may show.

        Returns:
            False when the request is to be answered with 487: the peer has to switch.
            Otherwise this side may have switched.
        """
        if self._lite:
            return request.controlled is None
        if self.controlling:
            theirs = request.controlling
            if theirs is not None:
                if self.tie_breaker >= theirs:
                    return False
                self.controlling = False
        else:
            theirs = request.controlled
            if theirs is not None:
                if self.tie_breaker < theirs:
                    return False
                self.controlling = True
        return True

    def refused(self, *, controlling: bool) -> None:
        """Switch after a 487 (RFC 8445 sections 7.2.5.1 and 16.1).

        Args:
            controlling: the role that the refused request was sent in.
        """
        if self.controlling is controlling:
            self.controlling = not controlling
            self.tie_breaker = self._rng.getrandbits(64)
