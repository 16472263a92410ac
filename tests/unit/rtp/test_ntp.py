"""NTP timestamps."""

import time
from datetime import UTC, datetime

import pytest

from whipbird.rtp.ntp import ntp_now


def test_now_is_in_seconds_since_1900(monkeypatch: pytest.MonkeyPatch) -> None:
    # Half a second before it wraps.
    moment = datetime(2036, 2, 7, 6, 28, 15, 500_000, UTC)
    monkeypatch.setattr(time, "time", moment.timestamp)
    assert ntp_now() == 0xFFFF_FFFF_8000_0000
