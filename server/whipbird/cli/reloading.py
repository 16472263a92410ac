"""Settings that are read again while the server runs."""

import logging
import sys
from collections.abc import Callable

from aiohttp import web

from ..app import reconfigure
from ..config import ConfigError, Settings, taken_over
from ..recording import RecordingFolder
from .logs import set_up_logging
from .service import notify_ready, notify_reloading

logger = logging.getLogger(__name__)


class Reloading:
    """The settings of a running server.

    Args:
        settings: those that it was started with.
        load: reads them again from all their sources.

    Attributes:
        settings: those that are in force.
    """

    def __init__(self, settings: Settings, load: Callable[[], Settings]) -> None:
        self.settings = settings
        self._load = load

    def read_again(self) -> None:
        """Read the settings again where no server runs: in front of its workers.

        Raises:
            ConfigError: when one is invalid; then nothing changes.
        """
        self.settings, _ = taken_over(self.settings, self._load())

    def reload(self, app: web.Application) -> None:
        """Read the settings again. If one is invalid, nothing changes."""
        notify_reloading()
        try:
            self._take_over(app, self._load())
        except ConfigError as error:
            logger.error("The settings are not reloaded: %s", error)
        notify_ready()

    def _take_over(self, app: web.Application, new: Settings) -> None:
        self.settings, waiting = taken_over(self.settings, self._with_folder(new))
        current = self.settings
        set_up_logging(current.log_level, current.log_format, sys.stderr)
        reconfigure(app, current)
        logger.info("The settings are reloaded")
        for name in waiting:
            logger.warning("The setting %s has changed: it needs a restart", name)

    def _with_folder(self, new: Settings) -> Settings:
        """The new settings, with a folder of recordings that can be written to."""
        current = self.settings.record
        if new.record is None or new.record == current:
            return new
        try:
            RecordingFolder(new.record).check()
        except OSError as error:
            logger.error(
                "Recordings stay where they are: the folder %s cannot be used: %s",
                new.record,
                error.strerror or error,
            )
            return new.model_copy(update={"record": current})
        return new
