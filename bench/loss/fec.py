"""A model of forward error correction beside copies of retransmissions.

Frames are lost packet by packet, at random, over a long way. A receiver requests what
is missing at once, whether FEC restores it or not, as libwebrtc does. Beside the
retransmissions, either copies of them are sent, as the server does, or XOR packets with
each frame (ulpfec, flexfec-03), each over every n-th packet of it: as many octets as
the copies take, or twice as many. Sound is left out.

Usage: python -m bench.loss.fec
"""

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.netem.picture import frozen
from whipbird.media.retransmitter import COPY_DELAYS, REPEAT_SHARE
from whipbird.rtp.loss import Loss

_LOSSES = (0.02, 0.05, 0.1, 0.2)
_ROUND_TRIPS = (0.1, 0.2, 0.3)
_SEEDS, _SECONDS, _RATE, _GOP = 40, 15, 30, 60
_KEY_PACKETS, _PACKETS = 40, (4, 12)
# Seconds between two packets of a frame; between two requests for one packet, of a
# receiver that does not know its round trip; until a GOP is given up.
_SPACING, _REQUEST, _HOPELESS = 0.001, 0.1, 3.0
# The frames by which it is judged how late they are; packets of the third column.
_JUDGED, _MUCH = 30, 0.25


@dataclass(slots=True)
class Path:
    """A way that loses packets.

    Attributes:
        sent: packets beside those of the frames.
    """

    loss: float
    round_trip: float
    rng: random.Random
    sent: int = 0

    def passes(self) -> bool:
        """Send a packet; return whether it arrives."""
        return self.rng.random() >= self.loss

    def retransmit(self, copies: int) -> float:
        """Seconds from a request until the packet arrives."""
        waits = (0.0, *COPY_DELAYS[:copies])
        least = waits[-1] + REPEAT_SHARE * self.round_trip
        again = math.ceil(least / _REQUEST) * _REQUEST
        asked = 0.0
        while asked < _HOPELESS:
            self.sent += len(waits)
            arrived = [wait for wait in waits if self.passes()]
            if arrived:
                return asked + self.round_trip + arrived[0]
            asked += again
        return _HOPELESS


def _frame(path: Path, packets: int, copies: int, parity: int) -> float:
    """Seconds until all packets of a frame are there, after the first was sent."""
    end = packets * _SPACING
    lost = [n for n in range(packets) if not path.passes()]
    path.sent += parity
    restored = set()
    for group in range(parity):
        missing = [n for n in lost if n % parity == group]
        if path.passes() and len(missing) == 1:
            restored.add(missing[0])
    whole = end
    for number in lost:
        came = (number + 1) * _SPACING + path.retransmit(copies)
        whole = max(whole, end if number in restored else came)
    return whole + path.round_trip / 2


def _watch(path: Path, copies: int, share: float) -> tuple[float, float]:
    """What is frozen, in seconds, and the packets beside those of the frames.

    Args:
        share: packets of FEC, as a share of the frames'.
    """
    shown: list[float] = []
    late = deque[float](maxlen=_JUDGED)
    total, due = 0, 0.0
    for number in range(_SECONDS * _RATE):
        is_key = number % _GOP == 0
        count = _KEY_PACKETS if is_key else path.rng.randint(*_PACKETS)
        total += count
        due += share * count
        parity, due = int(due), due % 1
        late.append(_frame(path, count, copies, parity))
        usual = sorted(late)[len(late) // 2]
        shown.append(max([number / _RATE + max(late[-1], usual), *shown[-1:]]))
    return frozen(shown, shown[0], shown[-1]), path.sent / total


def _copies(loss: float) -> int:
    known = Loss()
    known.reported(loss, 1 << 20)
    return known.copies


def _rows() -> Iterator[tuple[float, float, list[tuple[float, float]]]]:
    for round_trip in _ROUND_TRIPS:
        for loss in _LOSSES:
            copies = _copies(loss)
            equal = copies * loss
            variants = ((copies, 0.0), (0, equal), (0, max(2 * equal, _MUCH)))
            means = []
            for variant in variants:
                found = [
                    _watch(Path(loss, round_trip, random.Random(seed)), *variant)
                    for seed in range(_SEEDS)
                ]
                columns = zip(*found, strict=True)
                frozen_for, beside = (sum(column) / _SEEDS for column in columns)
                means.append((frozen_for, beside))
            yield round_trip, loss, means


def main() -> None:
    """Print a table: frozen seconds of 15, and packets beside the stream's, in %."""
    print("round trip, ms | loss, % | copies | FEC, as many octets | more FEC")
    for round_trip, loss, means in _rows():
        cells = [f"{seconds:.1f} s, {100 * beside:.0f} %" for seconds, beside in means]
        print(f"{1000 * round_trip:.0f} | {100 * loss:.0f} | {' | '.join(cells)}")


if __name__ == "__main__":
    main()
