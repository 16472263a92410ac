"""The content of an RTP payload, as far as it must be known without decoding."""

import enum


class Content(enum.IntEnum):
    """What a payload contributes to its access unit.

    Attributes:
        DELIMITER: only what must come first in an access unit.
        HEADERS: no picture: parameter sets, supplemental information, unknown units.
        RECOVERY_POINT: the same, and the message that a decoder can start here,
            although no picture is a key frame (intra refresh).
        PICTURE: a part of a picture, or something that cannot be told.
        INTRA_PICTURE: begins a picture without prediction that is no key frame. A
            decoder can start here if the access unit has parameter sets.
        KEY_PICTURE: begins a key frame.
    """

    DELIMITER = 0
    HEADERS = 1
    RECOVERY_POINT = 2
    PICTURE = 3
    INTRA_PICTURE = 4
    KEY_PICTURE = 5
