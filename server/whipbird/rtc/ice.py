"""ICE as aiortc sees it: its gatherer and transport on this room's connection."""

from aioice import Candidate
from aioice.ice import ConnectionClosed
from aiortc import RTCIceGatherer, RTCIceTransport

from .addresses import HostAddresses
from .ice_connection import IceConnection


class AioiceConnection(IceConnection):
    """What aiortc uses of aioice's ``Connection``, for all ICE sessions of a peer."""

    @property
    def local_username(self) -> str:
        """The ufrag of the newest ICE session."""
        return self.agent.local_username

    @property
    def local_password(self) -> str:
        """The password of the newest ICE session."""
        return self.agent.local_password

    @property
    def local_candidates(self) -> list[Candidate]:
        """The candidates of the newest ICE session."""
        return self.agent.local_candidates

    @property
    def remote_candidates(self) -> list[Candidate]:
        """The peer's candidates in the newest ICE session."""
        return self.agent.remote_candidates

    @property
    def ice_controlling(self) -> bool:
        """Whether this side nominates."""
        return self._agent.ice_controlling

    @ice_controlling.setter
    def ice_controlling(self, value: bool) -> None:
        self._agent.ice_controlling = value

    @property
    def remote_is_lite(self) -> bool:
        """Whether the peer only answers checks (RFC 8445 section 2.5)."""
        return self._agent.remote_is_lite

    @remote_is_lite.setter
    def remote_is_lite(self, value: bool) -> None:
        self._agent.remote_is_lite = value

    @property
    def remote_username(self) -> str | None:
        """The peer's ufrag in the first ICE session."""
        return self._agent.remote_username

    @remote_username.setter
    def remote_username(self, value: str) -> None:
        self._agent.remote_username = value

    @property
    def remote_password(self) -> str | None:
        """The peer's password in the first ICE session."""
        return self._agent.remote_password

    @remote_password.setter
    def remote_password(self, value: str) -> None:
        self._agent.remote_password = value

    async def gather_candidates(self) -> None:
        """Gather host candidates, and nothing else."""
        self._agent.use(await self._sockets.open())

    async def add_remote_candidate(self, candidate: Candidate | None) -> None:
        """Add a candidate of the peer's; None for the end of them."""
        await self._agent.add_remote_candidate(candidate)

    async def recv(self) -> bytes:
        """Wait for a datagram, while there is no sink.

        Raises:
            ConnectionError: when there is none any more.
        """
        data = await self._queue.get()
        if data is None:
            raise ConnectionError("Connection lost while receiving data")
        return data

    async def send(self, data: bytes) -> None:
        """Send a datagram."""
        self.send_now(data)

    async def get_event(self) -> ConnectionClosed:
        """Wait for the only event there is: the end."""
        await self._closed.wait()
        return ConnectionClosed()


class IceGatherer(RTCIceGatherer):
    """Gathers host candidates."""

    _connection: AioiceConnection  # type: ignore[assignment]

    def __init__(self, addresses: HostAddresses) -> None:
        super().__init__(iceServers=[])
        self._connection = AioiceConnection(addresses)


class IceTransport(RTCIceTransport):
    """The ICE transport of a peer."""

    _connection: AioiceConnection  # type: ignore[assignment]

    def __init__(self, addresses: HostAddresses) -> None:
        super().__init__(IceGatherer(addresses))

    @property
    def connection(self) -> IceConnection:
        """The agents and sockets below."""
        return self._connection
