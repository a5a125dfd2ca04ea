"""``python -m daemon``: the process that speaks to Telegram. Exit codes are those of ``config.settings``."""

import asyncio
import logging
import os

from config import plans, program
from config.settings import EXIT_CONFIG, Settings
from daemon.service import Service
from models.database import close_database, migrate, open_database
from models.errors import SchemaTooNew

logger = logging.getLogger(__name__)


def main() -> int:
    """Run the daemon and return its exit code."""
    settings = program.begin("daemon")
    try:
        offered = plans.load(settings.plans_file)
        migrate(settings.database_file)
    except plans.PlansError as error:
        for fault in error.faults:
            logger.error("%s", fault)
        return EXIT_CONFIG
    except SchemaTooNew as error:
        logger.error("%s", error)
        return EXIT_CONFIG
    # The library notes answers that it does not know in the working directory.
    os.chdir(settings.logs)
    open_database(settings.database_file)
    try:
        return asyncio.run(_serve(settings, offered))
    finally:
        close_database()


async def _serve(settings: Settings, offered: plans.Plans) -> int:
    return await Service(settings, offered).run()


if __name__ == "__main__":
    raise SystemExit(main())
