"""``python -m daemon``: the process that speaks to Telegram. Exit codes are those of ``config.settings``."""

import asyncio
import logging
import os
import time

from config import memory, program
from config.settings import EXIT_AWAY, EXIT_CONFIG, Settings
from daemon.service import Service
from daemon.telegram import account_guard
from daemon.telegram.errors import AccountInUse
from models import catalogue
from models.database import close_database, migrate, open_database
from models.errors import SchemaTooNew
from models.maintenance import backups

logger = logging.getLogger(__name__)

IN_USE_PAUSE_S = 10.0
"""supervisord starts a program that ended with 75 again at once."""


def main() -> int:
    """Run the daemon and return its exit code."""
    memory.keep_blocks()
    settings = program.begin("daemon")
    try:
        with account_guard.held(settings):
            return _run(settings)
    except AccountInUse:
        logger.error("account.in_use", extra={"cause": "another daemon on this machine reads with it"})
        time.sleep(IN_USE_PAUSE_S)
        return EXIT_AWAY


def _run(settings: Settings) -> int:
    try:
        migrate(settings.database_file, lambda name: backups.make(settings, int(time.time()), before=name))
    except SchemaTooNew as error:
        logger.error("%s", error)
        return EXIT_CONFIG
    # The library notes answers that it does not know in the working directory.
    os.chdir(settings.logs)
    open_database(settings.database_file)
    try:
        return asyncio.run(_serve(settings, catalogue.begin(settings, int(time.time()))))
    finally:
        close_database()


async def _serve(settings: Settings, plans: catalogue.Catalogue) -> int:
    return await Service(settings, plans).run()


if __name__ == "__main__":
    raise SystemExit(main())
