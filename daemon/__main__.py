"""``python -m daemon``: the process that speaks to Telegram. Exit codes are those of ``config.settings``."""

import asyncio
import contextlib
import logging
import os
import time

from config import memory, program
from config.settings import EXIT_AWAY, EXIT_CONFIG, MISSING_SESSION, Settings
from config.texts import translator
from daemon.service import Service
from daemon.telegram.account_guard import Guard
from daemon.telegram.errors import AccountInUse
from models import catalogue
from models.accounts import pool
from models.database import close_database, migrate, open_database
from models.errors import SchemaTooNew, Unopenable
from models.maintenance import backups

logger = logging.getLogger(__name__)

IN_USE_PAUSE_S = 10.0
"""supervisord starts a program that ended with 75 again at once."""


def main() -> int:
    """Run the daemon and return its exit code."""
    memory.keep_blocks()
    settings = program.begin("daemon")
    try:
        migrate(settings.database_file, lambda name: backups.make(settings, int(time.time()), before=name))
    except SchemaTooNew as error:
        logger.error("%s", error)
        return EXIT_CONFIG
    if pool.is_missing(settings):
        program.refuse([MISSING_SESSION.said_in(translator(settings.language))])
    open_database(settings.database_file)
    try:
        return _run(settings, Guard())
    except AccountInUse:
        logger.error("account.in_use", extra={"cause": "another daemon on this machine reads with it"})
        time.sleep(IN_USE_PAUSE_S)
        return EXIT_AWAY
    finally:
        close_database()


def _run(settings: Settings, guard: Guard) -> int:
    """Serve, unless another process on this machine uses the account."""
    account = pool.begin(settings, int(time.time()))
    with contextlib.suppress(Unopenable):
        if account is not None and (session := pool.session_of(account, settings)):
            guard.take(session, settings.telegram_endpoint)
    # The library notes answers that it does not know in the working directory.
    os.chdir(settings.logs)
    return asyncio.run(_serve(settings, catalogue.begin(settings, int(time.time())), guard))


async def _serve(settings: Settings, plans: catalogue.Catalogue, guard: Guard) -> int:
    service = Service(settings, plans, guard)
    memory.settle()
    return await service.run()


if __name__ == "__main__":
    raise SystemExit(main())
