"""Streams of other workers of this machine: one stream spreads over all of them."""

from .relays import Relays

__all__ = ["Relays"]
