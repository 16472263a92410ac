"""Streams pulled from other servers by WHEP, while they have viewers here."""

from .path import CDN_LOOP, STREAM_PATH, has_nodes, read_path, write_path
from .pull import FAILURES, PullState
from .rule import UpstreamRule
from .shared import PulledStats
from .upstreams import Upstreams, UpstreamsStats

__all__ = [
    "CDN_LOOP",
    "FAILURES",
    "STREAM_PATH",
    "PullState",
    "PulledStats",
    "UpstreamRule",
    "Upstreams",
    "UpstreamsStats",
    "has_nodes",
    "read_path",
    "write_path",
]
