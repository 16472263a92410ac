"""Whipbird: a WebRTC media server that speaks WHIP (RFC 9725) and echoes."""

from importlib.metadata import version

__version__ = version("whipbird")
