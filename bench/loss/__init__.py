"""Measurements through loss: ``python -m bench --loss``.

A real Chromium, the server and a relay between them have a network namespace each. The
relay passes Ethernet frames on, and loses, delays, reorders and slows them by a seed.
"""
