"""RTP and RTCP packets and payload formats: pure data and functions, no I/O."""
