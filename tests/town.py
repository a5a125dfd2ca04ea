"""A Telegram, a PayPal, and one installation that sells in both."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import daemon_process, environment, paypal_shop, sandbox_process
from tests.daemon_process import Daemon
from tests.paypal_shop import PayPalShop
from tests.sandbox.paypal import start as start_paypal
from tests.sandbox_process import Sandbox


@dataclass(frozen=True)
class Town:
    """Where all three programs run, beside the servers that they need."""

    sandbox: Sandbox
    shop: PayPalShop
    daemon: Daemon

    @contextlib.contextmanager
    def edited_plans(self, old: str, new: str) -> Iterator[None]:
        """For a while the plans file says *new* in place of *old*; the daemon follows both edits, a moment later."""
        seen = len(self.daemon.log())
        with self.shop.edited_plans(old, new):
            self.daemon.until_logged("catalogue.changed", seen)
            seen = len(self.daemon.log())
            yield
        self.daemon.until_logged("catalogue.changed", seen)


@contextlib.contextmanager
def town(migrated: Path, place: Path) -> Iterator[Town]:
    """Start everything with its state in *place*; *migrated* is an empty database to begin with."""
    shutil.copy(migrated, place / "peaje.db")
    paypal = start_paypal(place / "paypal")
    sandbox = sandbox_process.start(place / "sandbox", "--telegram-only")
    try:
        with (
            paypal_shop.shop(paypal, place, TIMEZONE=environment.zone_of_noon(), **sandbox.env) as built,
            daemon_process.daemon(sandbox, place, **built.settings(1)) as daemon,
        ):
            yield Town(sandbox, built, daemon)
        unsupported = sandbox.control("GET", "/unsupported")
    finally:
        paypal.stop()
        code = sandbox.stop()
    assert code == 0
    assert not unsupported
