"""The model of forward error correction."""

import random

import pytest

from bench.loss import fec
from whipbird.media.retransmitter import COPY_DELAYS


class Lossy(random.Random):
    """Loses the packets of some numbers, in the order in which they are sent."""

    def __init__(self, *lost: int) -> None:
        super().__init__(0)
        self._left = set(lost)
        self._number = -1

    def random(self) -> float:
        self._number += 1
        return 0.0 if self._number in self._left else 1.0


def path(*lost: int) -> fec.Path:
    return fec.Path(0.5, 0.2, Lossy(*lost))


def test_a_frame_that_is_whole() -> None:
    clean = path()
    assert fec._frame(clean, 10, 2, 1) == pytest.approx(0.11)
    assert clean.sent == 1


def test_a_lost_packet_is_restored_if_its_group_lacks_no_other() -> None:
    # Its retransmission does not matter. The second one is in another group.
    assert fec._frame(path(3, 4), 10, 0, 2) == pytest.approx(0.11)
    # A round trip after it was missed.
    assert fec._frame(path(3, 5), 10, 0, 2) == pytest.approx(0.006 + 0.2 + 0.1)
    # The packet of FEC is lost, too.
    assert fec._frame(path(3, 10), 10, 0, 1) == pytest.approx(0.004 + 0.2 + 0.1)


def test_copies_come_instead_of_a_lost_retransmission() -> None:
    lossy = path(3, 10)
    copied = 0.004 + 0.2 + COPY_DELAYS[0] + 0.1
    assert fec._frame(lossy, 10, 1, 0) == pytest.approx(copied)
    assert lossy.sent == 2
    assert fec._frame(path(3, 10), 10, 0, 0) == pytest.approx(0.004 + 0.2 + 0.2 + 0.1)


def test_a_clean_path_costs_nothing() -> None:
    assert fec._watch(fec.Path(0.0, 0.2, random.Random(1)), 0, 0.0) == (0, 0)
