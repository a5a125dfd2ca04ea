"""What set-up knows without asking Telegram."""

from config.settings import Application
from config.texts import translator
from daemon.setup import checks


async def test_no_token_is_asked_about_nowhere() -> None:
    nowhere = Application(1, "0" * 32, ("127.0.0.1", 1), None)

    found = await checks.of_bot(nowhere, "", translator("en"))

    assert not found.is_good
    assert found.text.startswith("Telegram does not know this token")
