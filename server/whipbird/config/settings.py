"""All settings of a server."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from .access import AccessSettings
from .media import MediaSettings
from .network import NetworkSettings
from .operation import OperationSettings
from .recording import RecordingSettings
from .tls import TlsSettings

ENV_PREFIX = "WHIPBIRD_"


class Settings(
    OperationSettings,
    RecordingSettings,
    MediaSettings,
    AccessSettings,
    TlsSettings,
    NetworkSettings,
    BaseSettings,
):
    """The settings of a server. The descriptions are the command line's help."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True
    )
