"""The parts of an association, put together."""

import random
from dataclasses import dataclass

from .channels import ChannelTable
from .handshake import Handshake
from .inbound import Inbound
from .packets import PacketWriter
from .reconfig import StreamResets
from .recovery import Recovery
from .sender import Sender
from .sinks import AssociationSinks


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an association.

    Attributes:
        packets: bundles chunks into packets.
        handshake: brings the association up and down.
        recovery: keeps chunks until the peer has them.
        sender: queues messages, and makes chunks of them.
        resets: resets streams.
        table: opens, closes and finds channels.
        inbound: takes data.
    """

    packets: PacketWriter
    handshake: Handshake
    recovery: Recovery
    sender: Sender
    resets: StreamResets
    table: ChannelTable
    inbound: Inbound

    def forget(self) -> None:
        """Forget all data: the association is over, or the peer begins anew."""
        self.sender.clear()
        self.inbound.start(0)
        self.recovery.start(0, 0)
        self.resets.start(0, 0, True)
        self.table.close_all()

    def begin(self) -> None:
        """Begin to transfer data with the peer that the handshake knows."""
        peer = self.handshake.peer
        assert peer is not None
        first = self.handshake.local_tsn
        self.packets.set_tag(peer.tag)
        self.inbound.start(peer.tsn)
        self.recovery.start(first, peer.window)
        self.resets.start(first, peer.tsn, peer.re_config)
        self.sender.can_abandon = peer.forward_tsn


def assemble(
    sinks: AssociationSinks,
    is_dtls_client: bool,
    ports: tuple[int, int],
    limit: int | None,
    rng: random.Random,
) -> Parts:
    """Make the parts of an association (see ``Association``).

    Args:
        ports: the SCTP ports of this side and of the peer.
    """
    packets = PacketWriter(sinks.send_packet, *ports)
    handshake = Handshake(packets, Inbound.window_for(limit), rng)
    recovery = Recovery(handshake.local_tsn)
    sender = Sender(recovery)
    resets = StreamResets(packets.add_control, handshake.local_tsn)
    table = ChannelTable(sinks, sender, resets, is_dtls_client)
    inbound = Inbound(packets, sender, resets, table.receive, limit)
    return Parts(packets, handshake, recovery, sender, resets, table, inbound)
