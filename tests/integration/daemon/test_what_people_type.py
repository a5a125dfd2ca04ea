"""What people type without having read the guide leads to the screen that they mean, in their language."""

import pytest

from tests.daemon_process import Daemon, chat
from tests.sandbox_process import Sandbox

SCREENS = {
    "plans": {"en": "500 ⭐", "es": "500 ⭐"},
    "guide": {"en": "How to use this bot", "es": "Cómo usar este bot"},
    "trouble": {"en": "What does not work?", "es": "¿Qué no funciona?"},
    "home": {"en": "Your plan: Free", "es": "Tu plan: Gratis"},
    "history": {"en": "Your payments", "es": "Tus pagos"},
    "payment": {"en": "Help with a payment", "es": "Ayuda con un pago"},
    "queue": {"en": "You have no links in the queue", "es": "No tienes enlaces en cola"},
    "language": {"en": "Which language", "es": "¿En qué idioma"},
    "terms": {"en": "Terms of use", "es": "Condiciones de uso"},
    "privacy": {"en": "Privacy", "es": "Privacidad"},
    "erasure": {"en": "Delete", "es": "Borrar"},
    "reminders": {"en": "I will remind you", "es": "Te avisaré"},
    "unused": {"en": "0 of 10 today", "es": "0 de 10 hoy"},
}
TYPED = {
    "price": "plans",
    "precio": "plans",
    "cuánto cuesta": "plans",
    "premium": "plans",
    "/precios": "plans",
    "/planes": "plans",
    "/Planes@{bot}": "plans",
    "how": "guide",
    "help": "guide",
    "ayuda": "guide",
    "/ayuda": "guide",
    "no funciona": "trouble",
    "it doesn't work": "trouble",
    "/soporte": "trouble",
    "/support": "trouble",
    "/pagos": "payment",
    "quiero un reembolso": "payment",
    "hola": "home",
    "hello": "home",
    "/inicio": "home",
    "/historial": "history",
    "mis compras": "history",
    "/uso": "unused",
    "/estadisticas": "unused",
    "/cancelar": "queue",
    "cancelar": "queue",
    "/idioma": "language",
    "/terminos": "terms",
    "/condiciones": "terms",
    "/privacidad": "privacy",
    "/borrarmisdatos": "erasure",
    "/recordatorios": "reminders",
}


@pytest.mark.parametrize("language", ["en", "es"])
async def test_words_and_other_names_lead_to_a_screen(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, language: str
) -> None:
    async with chat(daemon_sandbox, language) as customer:
        for typed, screen in TYPED.items():
            answer = await customer.ask(typed.format(bot=customer.bot))
            assert SCREENS[screen][language] in answer.text, typed


async def test_another_name_of_a_command_takes_what_follows(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        assert "Which language" in (await customer.ask("/idioma inglés")).text
        assert "¿En qué idioma" in (await customer.ask("/language Español")).text
        assert "Ya no te avisaré" in (await customer.ask("/recordatorios no")).text
        assert "Eso no es un número de pago" in (await customer.ask("/pagos a b")).text


async def test_a_word_cancels_nothing(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        daemon_sandbox.control("POST", "/faults", {"fault": "delay", "method": "channels.getMessages", "seconds": 2})
        try:
            await customer.say(customer.link("photo1"))
            await customer.until_text("Looking at your link")
            await customer.say("cancel")
            assert "You have 1 link in the queue" in (await customer.until_text("in the queue:")).text
            assert (await customer.until(lambda message: message.media is not None)).photo
        finally:
            daemon_sandbox.control("DELETE", "/faults")
