"""How the process runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr

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
    event_url: Annotated[str, AfterValidator(values.http_url)] | None = Field(
        default=None,
        description="URL to which events are posted as JSON: streams that are "
        "published and watched, files that are recorded.",
    )
    event_secret: Annotated[SecretStr, AfterValidator(values.event_secret)] | None = (
        Field(
            default=None,
            description="Secret to sign events with. Other users of the machine see "
            "the command line: better put it into the environment or the settings "
            "file.",
        )
    )
    access_log: bool = Field(default=False, description="Log each HTTP request.")
    log_format: Literal["text", "json"] = Field(
        default="text", description="How lines of the log are written."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much to log."
    )
