"""How the process runs."""

from typing import Literal

from pydantic import BaseModel, Field


class OperationSettings(BaseModel):
    """How the process runs."""

    drain: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds that open sessions may go on when the server is told to "
        "stop; new ones are refused meanwhile. A second signal ends it at once.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much to log."
    )
