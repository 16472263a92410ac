"""Measurements of Whipbird beside the textbook server: ``python -m bench``.

Both servers are measured in one run and in turn, because the machine's speed changes
from minute to minute: their ratio means something, their absolute figures do not.
"""
