"""RTP as octets and data: pure functions, no I/O and no connections."""
