"""What is recorded, and how long it is kept."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from . import values


class RecordingSettings(BaseModel):
    """What is recorded, and how long it is kept."""

    record: Annotated[Path | None, BeforeValidator(values.folder)] = Field(
        default=None,
        description="Folder for recordings; without it, recording is not possible.",
    )
    record_all: Annotated[bool, AfterValidator(values.with_folder)] = Field(
        default=False,
        description="Record all published streams, not only those requested; it needs "
        "a folder for recordings.",
    )
    record_segment: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="Maximum length of a recorded file in seconds; the next file "
        "starts at a key frame; 0 for no limit.",
    )
    record_segment_size: int = Field(
        default=0,
        ge=0,
        description="Maximum size of a recorded file in bytes; 0 for no limit.",
    )
    record_max_age: float = Field(
        default=0.0,
        ge=0,
        le=3_153_600_000,
        description="Seconds after their end at which recorded files are deleted; 0 to "
        "keep them.",
    )
    record_max_size: int = Field(
        default=0,
        ge=0,
        description="Maximum size of all recorded files together in bytes; the oldest "
        "ones are deleted; 0 for no limit.",
    )
    record_min_free: int = Field(
        default=0,
        ge=0,
        description="Bytes of the file system of recordings to keep free; the oldest "
        "recorded files are deleted, and when there are none, recording stops.",
    )
