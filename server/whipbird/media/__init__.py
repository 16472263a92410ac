"""What flows: tracks, their encodings, frames, and what is sent to viewers.

Nothing here knows whence media comes and where it goes: ``transport.MediaTransport``
stands for the network. Packets are interpreted once, in order, by ``framing``; viewers,
recordings, snapshots and decoders subscribe to an ``Encoding`` and read what it says.
"""
