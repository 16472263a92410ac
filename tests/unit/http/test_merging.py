"""The answers of several workers as one."""

from typing import Any

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from whipbird.http.merging import merge_metrics, merge_status

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"

TEXT = """# HELP whipbird_build_info The version.
# TYPE whipbird_build_info gauge
whipbird_build_info{version="1"} 1.0
# HELP whipbird_sessions Open sessions.
# TYPE whipbird_sessions gauge
whipbird_sessions{kind="data"} %d
# HELP whipbird_echo_messages_total Messages.
# TYPE whipbird_echo_messages_total counter
whipbird_echo_messages_total %d
# HELP whipbird_event_loop_lag_max_seconds The longest.
# TYPE whipbird_event_loop_lag_max_seconds gauge
whipbird_event_loop_lag_max_seconds %d
# HELP whipbird_session_setup_seconds Steps.
# TYPE whipbird_session_setup_seconds histogram
whipbird_session_setup_seconds_bucket{le="0.1",step="ICE"} %d
whipbird_session_setup_seconds_bucket{le="+Inf",step="ICE"} %d
whipbird_session_setup_seconds_count{step="ICE"} %d
whipbird_session_setup_seconds_sum{step="ICE"} %d
"""

WORKERS: list[dict[str, Any]] = [
    {"number": 0, "pid": 1, "state": "running", "restarts": 0},
    {"number": 1, "pid": 2, "state": "running", "restarts": 2},
    {"number": 2, "pid": None, "state": "starting", "restarts": 1},
]


def samples(text: bytes, *, is_open: bool = False) -> dict[str, float]:
    families = (parse_open if is_open else parse)(text.decode())
    return {
        f"{s.name}{sorted(s.labels.values())}": s.value
        for family in families
        for s in family.samples
    }


def test_metrics_are_added() -> None:
    bodies = [
        (TEXT % (1, 10, 5, 1, 2, 2, 7)).encode(),
        (TEXT % (2, 20, 3, 0, 4, 4, 1)).encode(),
    ]
    found = samples(merge_metrics(bodies, PLAIN, WORKERS))
    assert found == {
        "whipbird_build_info['1']": 1,
        "whipbird_sessions['data']": 3,
        "whipbird_echo_messages_total[]": 30,
        "whipbird_event_loop_lag_max_seconds[]": 5,
        "whipbird_session_setup_seconds_bucket['0.1', 'ICE']": 1,
        "whipbird_session_setup_seconds_bucket['+Inf', 'ICE']": 6,
        "whipbird_session_setup_seconds_count['ICE']": 6,
        "whipbird_session_setup_seconds_sum['ICE']": 8,
        "whipbird_workers['running']": 2,
        "whipbird_workers['starting']": 1,
        "whipbird_worker_restarts_total[]": 3,
    }


def test_metrics_in_openmetrics() -> None:
    body = (
        b"# HELP whipbird_echo_messages Messages.\n"
        b"# TYPE whipbird_echo_messages counter\n"
        b"whipbird_echo_messages_total 4.0\n# EOF\n"
    )
    text = merge_metrics([body, body, body], OPEN, WORKERS)
    assert text.endswith(b"# EOF\n")
    assert samples(text, is_open=True)["whipbird_echo_messages_total[]"] == 12


def status(sessions: int, uptime: float, drops: int) -> dict[str, Any]:
    return {
        "version": "1",
        "uptime": uptime,
        "sessions": {"open": sessions, "total": 2 * sessions},
        "applications": [
            {"name": "game", "streams": ["*"], "sessions": sessions, "errors": 0},
            {"name": "bot", "streams": ["cam-*"], "sessions": 1, "errors": drops},
        ],
        "udp": {"port": 8080, "addresses": ["192.0.2.1"], "send_drops": drops},
    }


def test_a_status_is_added() -> None:
    found = {1: status(3, 5.0, 1), 0: status(4, 50.0, 2)}
    merged = merge_status(found, 1, WORKERS)
    assert merged == {
        "version": "1",
        "uptime": 50.0,
        "sessions": {"open": 7, "total": 14},
        "applications": [
            {"name": "game", "streams": ["*"], "sessions": 7, "errors": 0},
            {"name": "bot", "streams": ["cam-*"], "sessions": 2, "errors": 3},
        ],
        "udp": {"port": 8080, "addresses": ["192.0.2.1"], "send_drops": 3},
        "workers": [
            {**worker, "sessions": sessions}
            for worker, sessions in zip(WORKERS, (4, 3, 0), strict=True)
        ],
    }
