"""``python -m daemon``: the process that speaks to Telegram. Exit codes are those of ``config.settings``."""

import asyncio
import logging
import os
import time

from config import memory, program
from config.settings import EXIT_CONFIG, Settings
from daemon.service import Service
from models.database import close_database, migrate, open_database
from models.errors import SchemaTooNew
from models.maintenance import backups

logger = logging.getLogger(__name__)


def main() -> int:
    """Run the daemon and return its exit code."""
    memory.keep_blocks()
    settings = program.begin("daemon")
    try:
        migrate(settings.database_file, lambda name: backups.make(settings, int(time.time()), before=name))
    except SchemaTooNew as error:
        logger.error("%s", error)
        return EXIT_CONFIG
    # The library notes answers that it does not know in the working directory.
    os.chdir(settings.logs)
    open_database(settings.database_file)
    try:
        return asyncio.run(_serve(settings))
    finally:
        close_database()


async def _serve(settings: Settings) -> int:
    return await Service(settings).run()


if __name__ == "__main__":
    raise SystemExit(main())
