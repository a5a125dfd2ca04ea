"""What people type without having read the guide leads to the screen that they mean, in their language."""

import pytest

from tests.daemon_process import Daemon, chat
from tests.sandbox_process import Sandbox

SCREENS = {
    "plans": {"en": "500 ⭐", "es": "500 ⭐", "pt": "500 ⭐"},
    "guide": {"en": "How to use this bot", "es": "Cómo usar este bot", "pt": "Como usar este bot"},
    "trouble": {"en": "What does not work?", "es": "¿Qué no funciona?", "pt": "O que não funciona?"},
    "home": {"en": "Your plan: Free", "es": "Tu plan: Gratis", "pt": "Seu plano: Grátis"},
    "history": {"en": "Your payments", "es": "Tus pagos", "pt": "Seus pagamentos"},
    "payment": {"en": "Help with a payment", "es": "Ayuda con un pago", "pt": "Ajuda com um pagamento"},
    "queue": {
        "en": "You have no links in the queue",
        "es": "No tienes enlaces en cola",
        "pt": "Você não tem links na fila",
    },
    "language": {"en": "Which language", "es": "¿En qué idioma", "pt": "Em qual idioma"},
    "terms": {"en": "Terms of use", "es": "Condiciones de uso", "pt": "Termos de uso"},
    "privacy": {"en": "Privacy", "es": "Privacidad", "pt": "Privacidade"},
    "erasure": {"en": "Delete", "es": "Borrar", "pt": "Apagar"},
    "reminders": {"en": "I will remind you", "es": "Te avisaré", "pt": "Vou lembrar você"},
    "unused": {"en": "0 of 10 today", "es": "0 de 10 hoy", "pt": "0 de 10 hoje"},
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
IN_PORTUGUESE = {
    "quanto custa": "plans",
    "/planos": "plans",
    "/ajuda": "guide",
    "não funciona": "trouble",
    "quero um reembolso": "payment",
    "/inicio": "home",
    "/historico": "history",
    "/uso": "unused",
    "/fila": "queue",
    "/idioma": "language",
    "/termos": "terms",
    "/privacidade": "privacy",
    "/apagarmeusdados": "erasure",
    "/lembretes": "reminders",
}


@pytest.mark.parametrize(
    ("speaks", "language", "said"), [("en", "en", TYPED), ("es", "es", TYPED), ("pt-br", "pt", IN_PORTUGUESE)]
)
async def test_words_and_other_names_lead_to_a_screen(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, speaks: str, language: str, said: dict[str, str]
) -> None:
    async with chat(daemon_sandbox, speaks) as customer:
        for typed, screen in said.items():
            answer = await customer.ask(typed.format(bot=customer.bot))
            assert SCREENS[screen][language] in answer.text, typed


async def test_another_name_of_a_command_takes_what_follows(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        assert "Which language" in (await customer.ask("/idioma inglés")).text
        assert "¿En qué idioma" in (await customer.ask("/language Español")).text
        assert "Ya no te avisaré" in (await customer.ask("/recordatorios no")).text
        assert "Eso no es un número de pago" in (await customer.ask("/pagos a b")).text


async def test_marks_and_lines_change_no_command(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        assert "¿En qué idioma" in (await customer.ask("/language\nespañol")).text
        assert "Which language" in (await customer.ask("\u200f/language\u00a0\u2068english\u2069")).text
        assert "not the link to a post" in (await customer.ask("/report\nt.me/sandbox_gallery")).text


async def test_portuguese_names_take_what_follows_too(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "pt-br") as customer:
        assert "Which language" in (await customer.ask("/idioma inglês")).text
        assert "Em qual idioma" in (await customer.ask("/language português")).text
        assert "Não vou mais lembrar você" in (await customer.ask("/lembretes não")).text
        assert "Não conheço este código" in (await customer.ask("/codigo ABCD-EFGH-JKMN")).text
        assert "Denunciar uma publicação" in (await customer.ask("/denunciar")).text
        assert "Um presente" in (await customer.ask("/presente")).text
        assert "Convide amigos" in (await customer.ask("/convidar")).text


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


async def test_a_link_to_another_site_is_told_as_such(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        assert "leads to another site" in (await customer.ask("https://example.com/watch?v=1")).text
        # And so where Telegram shows what the page looks like
        message = {
            "_": "message",
            "id": 2_000_001,
            "message": "https://example.com/watch?v=2",
            "peer_id": {"_": "peerUser", "user_id": customer.id},
            "from_id": {"_": "peerUser", "user_id": customer.id},
            "media": {"_": "messageMediaWebPage", "webpage": {"_": "webPage", "url": "https://example.com/watch?v=2"}},
        }
        update = {"account": customer.bot, "update": {"_": "updateNewMessage", "message": message}}
        daemon_sandbox.control("POST", "/control/update", update)
        assert "leads to another site" in (await customer.next()).text


SERVICE = [
    {"_": "messageActionPinMessage"},
    {"_": "messageActionSetMessagesTTL", "period": 86_400},
    {"_": "messageActionBotAllowed", "from_request": True},
    {"_": "messageActionScreenshotTaken"},
]
"""What Telegram itself writes into a chat, for what its customer did there."""


async def test_what_telegram_notes_in_a_chat_is_not_answered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        for number, action in enumerate(SERVICE):
            message = {
                "_": "messageService",
                "id": 2_100_000 + number,
                "peer_id": {"_": "peerUser", "user_id": customer.id},
                "from_id": {"_": "peerUser", "user_id": customer.id},
                "action": action,
            }
            update = {"account": customer.bot, "update": {"_": "updateNewMessage", "message": message}}
            daemon_sandbox.control("POST", "/control/update", update)
        assert "You have no links in the queue" in (await customer.ask("/cancel")).text
