"""SDP as text and data: pure functions, no I/O and no connections."""
