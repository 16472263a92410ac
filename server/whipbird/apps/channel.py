"""A data channel, as applications have it."""

import asyncio
from typing import TYPE_CHECKING

from ..rtc import DataChannel
from .closed import Closed

if TYPE_CHECKING:
    from .session import Session

# Octets queued on a channel above which ``send`` waits.
MAX_QUEUED = 256 * 1024


class ChannelClosed(Closed):
    """The channel is closed: by the client, or with its session."""


class MessageTooLarge(ValueError):  # noqa: N818 - as other refusals of messages
    """The message has more octets than the client takes in one."""


class Channel:
    """A data channel that a client has opened.

    Attributes:
        session: the session that it belongs to.
    """

    def __init__(self, session: "Session", inner: DataChannel) -> None:
        self.session = session
        self._inner = inner
        self._drained: asyncio.Event | None = None

    def __repr__(self) -> str:
        return f"<Channel {self.label!r} of {self.session!r}>"

    @property
    def label(self) -> str:
        """Its name, as the client has chosen it; several may have the same."""
        return self._inner.label

    @property
    def protocol(self) -> str:
        """The name of its subprotocol; mostly empty."""
        return self._inner.protocol

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._inner.readyState == "open"

    @property
    def queued(self) -> int:
        """Octets that wait for the network or the client."""
        return self._inner.bufferedAmount

    @property
    def max_message_size(self) -> int:
        """Octets that the client takes in one message; 0 for any number."""
        return self._inner.transport.max_message_size

    async def send(self, data: str | bytes) -> None:
        """Queue a message; wait before that while ``MAX_QUEUED`` octets are queued.

        Raises:
            ChannelClosed: when the channel is closed, or closes meanwhile.
            MessageTooLarge: when the client does not take so large a message.
        """
        while self.queued > MAX_QUEUED and self.is_open:
            await self._wait()
        self._send(data)

    def try_send(self, data: str | bytes) -> bool:
        """Queue a message unless ``send`` would wait, or the channel is closed.

        For messages to many clients, of which a slow one must not hold up the others.

        Returns:
            Whether it was queued.

        Raises:
            MessageTooLarge: see ``send``.
        """
        if self.queued > MAX_QUEUED or not self.is_open:
            return False
        self._send(data)
        return True

    async def close(self) -> None:
        """Close the channel, after the messages that are queued."""
        self._inner.close()

    def _send(self, data: str | bytes) -> None:
        if not self.is_open:
            raise ChannelClosed(f"the channel {self.label!r} is closed")
        octets = data.encode() if isinstance(data, str) else data
        largest = self.max_message_size
        if largest and len(octets) > largest:
            raise MessageTooLarge(
                f"a message of {len(octets)} octets; the client takes {largest}"
            )
        self._inner.send(data)

    async def _wait(self) -> None:
        """Wait until there is less in the queue, or the channel is closed."""
        if self._drained is None:
            self._drained = asyncio.Event()
            self._inner.bufferedAmountLowThreshold = MAX_QUEUED // 2
            self._inner.on("bufferedamountlow", self._drained.set)
            self._inner.on("close", self._drained.set)
        self._drained.clear()
        await self._drained.wait()
