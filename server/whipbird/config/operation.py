"""How the process runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from . import values


class OperationSettings(BaseModel):
    """How the process runs."""

    admin_listen: Annotated[str, AfterValidator(values.listen)] | None = Field(
        default=None,
        description="HOST:PORT, as 127.0.0.1:9464 or [::1]:9464, for metrics and for "
        "what operators may do; they are not at --port then. Port 0 for any.",
    )
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
