"""The console of a shop that sells, and an admin who is logged in to it."""

import itertools
import time

import pytest

from models import users
from tests.operator_browser import Operator
from tests.paypal_shop import ADMIN, PayPalShop

_places = itertools.count()


@pytest.fixture
def admin(shop: PayPalShop) -> Operator:
    """An admin whose log-in is fresh."""
    users.seen(ADMIN, "Alba", None, "en", int(time.time()))
    browser = Operator(shop.web.url, f"10.250.0.{next(_places) % 250}")
    browser.log_in(ADMIN)
    return browser
