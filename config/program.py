"""How every program begins: settings read, log set up; and how it ends when the settings are wrong."""

import logging

from config import logging as log
from config import settings

logger = logging.getLogger(__name__)


def begin(process: str) -> settings.Settings:
    """The settings, with the log of `process` set up.

    Ends the process with `EXIT_CONFIG` when they are wrong; the log then ends with one line for each fault.
    """
    log.setup(None, process)
    try:
        loaded = settings.load()
    except settings.ConfigurationError as error:
        for fault in error.faults:
            logger.error("%s", fault)
        raise SystemExit(settings.EXIT_CONFIG) from None
    log.setup(loaded, process)
    return loaded
