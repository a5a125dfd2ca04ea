"""What people type, and the screen that they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.texts import LANGUAGES
from daemon import handlers
from daemon.screens import vocabulary

TYPED = {
    "premium": (
        "price|Prices?|how much is it|how much does premium cost|can I buy VIP|PREMIUM|cancel my subscription|"
        "precio|precios|¿Cuánto cuesta?|cuanto cuesta|CUÁNTO VALE EL PREMIUM|planes|quiero comprar|cómo pago|premuim|"
        "cancelar la suscripción|hola, cuánto cuesta|cancel premium|quiero premium para un mes|"
        "preço|Quanto custa?|planos|quero assinar|como faço para pagar com pix|cancelar a assinatura|"
        "oi, quanto é|how to pay|how do I get premium|como cancelo|precio mensual|vitalício"
    ),
    "trial": "trial|free trial|prueba gratis|quiero probar|teste|teste grátis|quero testar",
    "gift": "gift|as a gift|regalo|quiero regalar premium|un regalo para un amigo|presente|presentear um amigo",
    "code": "code|I have a promo code|código|tengo un cupón|tenho um cupom|resgatar",
    "help": (
        "how|How?|help|help me please|what is this|?|¿?|ayuda|AYUDA!!|como funciona|¿Cómo funciona esto?|"
        "para qué sirve|ajuda|Como funciona?|o que você faz|preciso de ajuda para baixar um vídeo|como usar|"
        "me ayudas?|me ajuda"
    ),
    "support": (
        "it doesn't work|it doesn’t work|does not work|no funciona|no me funciona|no va|error|soporte|contacto|"
        "no entiendo|dónde está mi vídeo|não funciona|não chegou|cadê o meu vídeo|deu erro|"
        "falar com atendente|tarda mucho|can't download|el video no se ve|não abre|no carga"
    ),
    "paysupport": (
        "refund please|I paid and nothing happened|reembolso|pagué y no me llegó nada|me han cobrado dos veces|"
        "já paguei|paguei e não chegou nada|quero meu dinheiro|estorno|mi pago está pendiente|"
        "pending payment|no aparece mi compra|pagamento pendente"
    ),
    "start": "hello|Hi!|hola|buenas tardes|thank you|gracias|menú|« volver|oi|Olá!|bom dia|obrigada|início",
    "history": "history|receipt|historial|recibos|historal|histórico|meus pagamentos|invoice|nota fiscal",
    "stats": (
        "what is left|uso|estadísticas|cuánto me queda|quanto resta|minha conta|estatísticas|cuándo vence|"
        "when does it expire|cuántos videos puedo bajar|quantos faltam"
    ),
    "cancel": "cancel|cancelar|cola|fila|cancela",
    "language": "language|idioma|español|en inglés|português|em inglês|in portuguese",
    "mydata": "my data|mis datos|misdatos|meus dados|exportar meus dados",
    "deletemydata": (
        "delete my data|borrar mis datos|borrarmisdatos|apagar meus dados|excluir minha conta|delete account|"
        "borrar mi cuenta"
    ),
    "privacy": "privacy|privacidad|privacidade|¿es seguro?|is it safe?",
    "terms": "terms|términos|terminos y condiciones|termos|termos de uso",
    "reminders": "reminders|recordatorios|lembretes",
    "invite": "invite friends|referral|invitar amigos|invitar|convidar amigos|convite",
    "report": "report|copyright|denunciar|denuncia|derechos de autor|direitos autorais|denúncia|reportar",
}


@pytest.mark.parametrize(("topic", "text"), [(topic, text) for topic in TYPED for text in TYPED[topic].split("|")])
def test_words_lead_to_what_they_mean(topic: str, text: str) -> None:
    assert vocabulary.topic(text) == topic


@pytest.mark.parametrize("text", ["", " ", "…", "nonsense", "no_such_command", "xyz", "123", "🎉", "price " * 100])
def test_other_texts_lead_nowhere(text: str) -> None:
    assert vocabulary.topic(text) is None


def test_each_topic_has_an_answer_and_is_reached_by_its_name() -> None:
    assert vocabulary.TOPICS.keys() == handlers.ANSWERS.keys() - {"plans"}
    for name in vocabulary.TOPICS:
        assert vocabulary.topic(name) == name


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert vocabulary.topic(text) in {None, *vocabulary.TOPICS}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("es", "es"),
        ("Español", "es"),
        ("espanol", "es"),
        ("Spanish", "es"),
        ("inglés", "en"),
        ("portugués", "pt"),
        ("Português", "pt"),
        ("espanhol", "es"),
        ("inglês", "en"),
        ("fr", None),
        ("", None),
    ],
)
def test_a_language_is_known_by_its_names(text: str, code: str | None) -> None:
    assert code in {None, *LANGUAGES}
    assert vocabulary.language(text) == code
