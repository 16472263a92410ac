"""All settings of a server."""

from typing import Any

from pydantic import ValidatorFunctionWrapHandler, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..environment import ENV_PREFIX
from .access import AccessSettings
from .apps import ApplicationSettings
from .llms import LlmSettings
from .media import MediaSettings
from .network import NetworkSettings
from .operation import OperationSettings
from .recording import RecordingSettings
from .tls import TlsSettings
from .upstreams import UpstreamSettings


class Settings(
    LlmSettings,
    OperationSettings,
    RecordingSettings,
    ApplicationSettings,
    MediaSettings,
    UpstreamSettings,
    AccessSettings,
    TlsSettings,
    NetworkSettings,
    BaseSettings,
):
    """The settings of a server. The descriptions are the command line's help."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _readable(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Refuse what is not text, where its validator quotes it."""
        try:
            return validate(value)
        except UnicodeEncodeError:
            raise ValueError("it has octets that are not UTF-8") from None
