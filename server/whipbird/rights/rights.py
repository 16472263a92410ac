"""The rights on one server: its rules, read again when they change, and others."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .grant import EVERYBODY, Action, Grant
from .inquiry import Authority, Inquiry
from .links import ViewerLinks
from .rules import Rules, RulesError

logger = logging.getLogger(__name__)

# Seconds from one look at the file of rules to the next.
INTERVAL = 1.0

# Octets that a file of rules may have.
MAX_SIZE = 1024 * 1024

# Tells versions of a file apart: its modification time, size and inode.
_Version = tuple[int, int, int]


class Rights:
    """Answers what a client may do.

    Args:
        token: a token that permits everything; None if there is none.
        file: the file of rules; None if there is none.
        others: asked in order about clients that the rules say nothing about.
        links: knows the links for viewers; None if there are none.
        clock: returns seconds, to look at the file from time to time.
        now: returns seconds since the epoch.

    Attributes:
        token: as above; another one is in force from the next ``reload`` on.

    Raises:
        RulesError: when the file cannot be read or is invalid.
    """

    def __init__(
        self,
        token: str | None = None,
        file: Path | None = None,
        others: Sequence[Authority] = (),
        *,
        links: ViewerLinks | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        self._file = file
        self._others = tuple(others)
        self._links = links
        self._clock = clock
        self._now = now
        self._version: _Version | None = None
        self._looked = clock()
        self._rules = self._read()

    @property
    def is_open(self) -> bool:
        """Whether there are no rules: everybody may do everything."""
        return self.token is None and self._file is None and not self._others

    @property
    def rules(self) -> Rules:
        """The rules, as they are now."""
        now = self._clock()
        if self._file is not None and now - self._looked >= INTERVAL:
            self._looked = now
            if _version_of(self._file) != self._version:
                self.reload()
        return self._rules

    @property
    def admits_strangers(self) -> bool:
        """Whether a client without a token may do anything, or might."""
        return (
            self.is_open
            or self.rules.anonymous is not None
            or any(other.admits_strangers for other in self._others)
        )

    def are_public(self, action: Action, stream: str) -> bool:
        """Whether the rules permit something to everybody."""
        grant = EVERYBODY if self.is_open else self.rules.anonymous
        return grant is not None and grant.allows(action, stream)

    def reload(self) -> bool:
        """Read the files of rules and of keys now. An invalid one changes nothing.

        Returns:
            Whether all are as the files say.
        """
        try:
            self._rules = self._read()
            for other in self._others:
                other.reload()
        except RulesError as error:
            logger.error("The rules stay as they were: %s", error)
            return False
        if not self.is_open:
            logger.info("The rules have been read again")
        return True

    async def find(self, inquiry: Inquiry) -> Grant | None:
        """The grant of a client; None if it has no token, or one that is not valid.

        It need not have the right that is asked for.

        Raises:
            Unanswered: when it cannot be found out.
            Expired: when the token is that of a link that has expired.
        """
        if self.is_open:
            return EVERYBODY
        rules, now = self.rules, self._now()
        if inquiry.token is None:
            grant = rules.anonymous
            if grant is not None and inquiry.need.is_met_by(grant):
                return grant
        elif (grant := rules.find(inquiry.token, now)) is not None:
            return grant
        elif self._links is not None:
            grant = self._links.find(inquiry.token, now)
            if grant is not None:
                return grant
        for other in self._others:
            if (grant := await other.find(inquiry, now)) is not None:
                return grant
        return None

    def _read(self) -> Rules:
        """The rules of the file and the token.

        Raises:
            RulesError: when the file cannot be read or is invalid.
        """
        rules = Rules({})
        if self._file is not None:
            # The version before the text: a change in between is seen next time.
            self._version = _version_of(self._file)
            try:
                rules = Rules.parse(_text_of(self._file))
            except RulesError as error:
                raise RulesError(f"{self._file}: {error}") from None
        return rules if self.token is None else rules.and_token(self.token)


def _version_of(file: Path) -> _Version | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _text_of(file: Path) -> str:
    """The text of a file of rules.

    Raises:
        RulesError: when it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise RulesError(f"it has more than {MAX_SIZE} octets")
        return data.decode()
    except OSError as error:
        raise RulesError(error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise RulesError("it is not UTF-8") from None
