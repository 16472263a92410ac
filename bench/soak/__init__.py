"""A server under mixed load for minutes or hours: nothing may grow, or get lost.

``server`` runs ``whipbird serve`` and counts what is alive in it. ``load`` makes
sessions of every kind, and floods; ``recordings`` checks files; ``readings`` judges.
"""
