"""How the process runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from . import access_values, network_values, values
from .values import MAX_WORKERS


class OperationSettings(BaseModel):
    """How the process runs."""

    workers: Annotated[
        int,
        BeforeValidator(values.workers),
        AfterValidator(values.no_workers_without_linux),
    ] = Field(
        default=1,
        ge=1,
        le=MAX_WORKERS,
        description="Processes that share the ports and the streams; auto for one on "
        "each core.",
    )
    spread_viewers: int = Field(
        default=40,
        ge=1,
        description="Viewers of a stream that stay at its worker; further ones go to "
        "whichever has the fewest sessions.",
    )
    admin_listen: Annotated[str, AfterValidator(network_values.listen)] | None = Field(
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
    event_url: Annotated[str, AfterValidator(network_values.http_url)] | None = Field(
        default=None,
        description="URL to which events are posted as JSON: streams that are "
        "published and watched, files that are recorded.",
    )
    event_secret: (
        Annotated[SecretStr, AfterValidator(access_values.event_secret)] | None
    ) = Field(
        default=None,
        description="Secret to sign events with. Other users of the machine see "
        "the command line: better put it into the environment or the settings "
        "file.",
    )
    native: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether the compiled packet path sends to viewers: where it is "
        "built (auto), in any case (on: or else the server does not start), or never "
        "(off).",
    )
    access_log: bool = Field(default=False, description="Log each HTTP request.")
    log_format: Literal["text", "json"] = Field(
        default="text", description="How lines of the log are written."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much to log."
    )
