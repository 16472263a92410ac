"""What was received of several sources together."""

from tests.rtp_packets import rtp_packet
from whipbird.rtp.reception import Reception
from whipbird.rtp.totals import Totals


def test_counts_are_added() -> None:
    receptions = [Reception(ssrc, 90000) for ssrc in (1, 2)]
    for reception, sequences in zip(receptions, [(1, 2, 4), (7, 7, 8)], strict=True):
        for sequence in sequences:
            reception.received(rtp_packet(sequence), 0.0)
    receptions[0].received(rtp_packet(3), 0.1, recovered=True)
    found = sum(map(Totals.of, receptions), Totals())
    octets = len(rtp_packet().data)
    assert found == Totals(
        packets=5, octets=5 * octets, lost=1, recovered=1, duplicates=1
    )
