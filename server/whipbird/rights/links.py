"""Links for viewers: each permits to watch one stream, until it expires."""

import logging
import math
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from .grant import STREAM_NAME, Action, Grant
from .inquiry import Expired
from .rules import digest_of
from .signer import Purpose, Signed, Signer

logger = logging.getLogger(__name__)

# Seconds for which a link may be made.
MIN_LIFETIME = 60
MAX_LIFETIME = 30 * 24 * 3600

_ID_OCTETS = 6


class ViewerLinks:
    """Makes links for viewers, and knows those that it has made.

    The server keeps nothing of them: their signature tells all.

    Args:
        signer: signs them.
        now: returns seconds since the epoch.
    """

    def __init__(self, signer: Signer, now: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._now = now

    def make(self, stream: str, lifetime: float, maker: Grant) -> tuple[str, datetime]:
        """Make a link.

        Args:
            stream: the name of the stream, which need not be published.
            lifetime: seconds; the link ends no later than the grant of its maker.
            maker: the grant of who wants it, with the right to publish the stream.

        Returns:
            The token of the link, and when it expires.
        """
        ends = self._now() + lifetime
        if maker.expires is not None:
            ends = min(ends, maker.expires)
        link = Signed(
            Purpose.WATCH, stream, math.floor(ends), secrets.token_urlsafe(_ID_OCTETS)
        )
        expires = datetime.fromtimestamp(link.expires, UTC)
        logger.info(
            "A link for viewers of %s was made by %s: %s, until %s",
            stream,
            maker.name,
            link.id,
            expires.isoformat(),
            extra={"stream": stream},
        )
        return self._signer.sign(link), expires

    def find(self, token: str, now: float) -> Grant | None:
        """The grant of a link; None if the token is of no link.

        Raises:
            Expired: when the link has expired.
        """
        link = self._signer.read(Purpose.WATCH, token)
        if link is None or not STREAM_NAME.fullmatch(link.subject):
            return None
        grant = Grant(
            f"link {link.id or digest_of(token)[:16]}",
            frozenset({Action.WATCH}),
            (link.subject,),
            link.expires,
        )
        if grant.has_expired(now):
            raise Expired(datetime.fromtimestamp(link.expires, UTC))
        return grant
