"""A local PayPal that tests, ``make demo`` and curious people run against.

It speaks the API, shows the pages on which a payer approves, sends really signed webhooks, fails on request, and
holds every request and answer against PayPal's own OpenAPI files. It imports nothing of the bot. See README.md.
"""

from .forgery import Forgery
from .operations import SpecificationsMissing
from .server import LocalPayPal, start
from .signatures import Transmission

__all__ = ["Forgery", "LocalPayPal", "SpecificationsMissing", "Transmission", "start"]
