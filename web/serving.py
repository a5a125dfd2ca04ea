"""What gunicorn's worker serves: an application, with the database open and a heartbeat."""

import gc
import importlib
import logging
import time
from collections.abc import Callable

from flask import Flask

from config import memory
from config.plans import Plans
from config.settings import Settings
from models import catalogue, database
from models.catalogue import Catalogue
from web.upkeep import heartbeat

logger = logging.getLogger(__name__)


def load(settings: Settings, application: str) -> Flask:
    """What the function ``create_app`` of the module *application* makes of the settings and the plans."""
    # What this worker shares with the master it shares until the garbage collector writes its marks into every page.
    gc.freeze()
    create: Callable[[Settings, Catalogue], Flask] = importlib.import_module(application).create_app
    database.open_database(settings.database_file)
    heartbeat.start("web")
    app = create(settings, _catalogue(settings))
    memory.settle()
    return app


def _catalogue(settings: Settings) -> Catalogue:
    """The plans that hold; none where the database cannot be read now: the first page that can looks again."""
    try:
        return catalogue.begin(settings, int(time.time()))
    except database.ERRORS as error:
        logger.warning("catalogue.unread", extra={"cause": str(error)})
        return Catalogue(Plans(()), by_paypal=settings.paypal_enabled)
