"""What sessions and streams do."""

from pydantic import BaseModel, Field


class MediaSettings(BaseModel):
    """What sessions and streams do."""

    echo_buffer: int = Field(
        default=1024 * 1024,
        ge=512 * 1024,
        le=1024 * 1024 * 1024,
        description="Bytes of messages that may wait in a session to be echoed, 524288 "
        "or more; when they are reached, the client has to wait.",
    )
    takeover: bool = Field(
        default=False,
        description="Let any new publisher replace the current one of a stream; "
        "otherwise it is refused, unless the current one is silent.",
    )
    wait_for_publisher: bool = Field(
        default=True,
        description="Let viewers wait for a stream before it is published; otherwise "
        "they are refused.",
    )
    chat: bool = Field(
        default=False,
        description="Let the viewers of a stream, and its publisher, write to each "
        "other and send reactions: whoever may watch may write.",
    )
    gop_size: int = Field(
        default=16 * 1024 * 1024,
        ge=0,
        le=18 * 1024 * 1024,
        description="Bytes of an encoding that are kept since its last key frame, so "
        "that a new viewer has a picture at once; with more, it waits for a key frame.",
    )
    gop_seconds: float = Field(
        default=60.0,
        ge=0,
        le=600,
        description="Seconds of an encoding that are kept since its last key frame.",
    )
    gop_total_size: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        description="Bytes that are kept in this way of all encodings together.",
    )
