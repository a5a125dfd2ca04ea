"""A backup from before packs were sold is restored: what was paid since, in Stars and with PayPal, is there again."""

from pathlib import Path

from tests import town as towns
from tests.daemon_process import chat
from tests.integration.operations.test_restore import manage
from tests.paypal_shop import Buyer
from tests.town import Town


def start(town: Town) -> None:
    """Start all three programs on what the disk holds."""
    town.shop.web.start()
    town.shop.upkeep.start()
    town.daemon.start()


def stop(town: Town) -> None:
    """Stop them, as their supervisor does."""
    assert town.daemon.stop() == 0
    assert town.shop.upkeep.stop() == 0
    assert town.shop.web.program.stop() == 0


def dearer(town: Town) -> None:
    """Let the packs that were sold leave the plans, or cost something else."""
    file = town.shop.place / "plans.toml"
    text = file.read_text()
    assert "[packs.video_10]" in text and "XTR = 80" in text
    file.write_text(text.replace("[packs.video_10]", "[packs.video_12]").replace("XTR = 80, USD", "XTR = 90, USD"))


async def test_packs_sold_after_the_backup_come_back(migrated: Path, tmp_path: Path) -> None:
    place = tmp_path / "town"
    place.mkdir()
    with towns.town(migrated, place) as town:
        environ = town.shop.settings(1)
        async with chat(town.sandbox) as by_stars, chat(town.sandbox) as by_paypal:
            # Given a backup that knows both customers, and none of what they buy then
            await by_stars.ask("/start")
            code, said = manage(environ, "backup")
            assert code == 0, said
            await by_stars.pay(await by_stars.press(await by_stars.ask("/premium"), "10 videos · 150 ⭐"))
            await by_stars.until_text("10 videos is yours")
            plans = await by_paypal.ask("/premium")
            pages = [it.url for row in plans.reply_markup.inline_keyboard for it in row if "/pay/" in (it.url or "")]
            Buyer(town.shop, by_paypal.id, pages[-1]).pay()
            await by_paypal.until_text("5 videos is yours")
            # When it is restored, and the plans have changed meanwhile
            stop(town)
            dearer(town)
            code, said = manage(environ, "restore", "latest")
            assert code == 0, said
            start(town)
            # Then both have what they paid for, and are told so
            await by_stars.until_text("10 videos is yours: 10 videos", 30)
            await by_paypal.until_text("5 videos is yours: 5 videos", 30)
            assert "🎟 Bought in packs: 10 videos" in (await by_stars.ask("/stats")).text
            assert "🎟 Bought in packs: 5 videos" in (await by_paypal.ask("/stats")).text
            await by_stars.silence(1)
