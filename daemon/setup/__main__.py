"""``python -m daemon.setup``: the process that speaks to Telegram while the shop is being set up."""

import asyncio
import os

from config import program
from config.settings import Settings
from daemon.setup.service import SetUp
from models.database import close_database, open_database


def main() -> int:
    """Run until stopped, and return the exit code."""
    settings = program.begin("daemon")
    # The library notes answers that it does not know in the working directory.
    os.chdir(settings.logs)
    open_database(settings.database_file)
    try:
        return asyncio.run(_serve(settings))
    finally:
        close_database()


async def _serve(settings: Settings) -> int:
    return await SetUp(settings).run()


if __name__ == "__main__":
    raise SystemExit(main())
