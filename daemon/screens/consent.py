"""News and who wants them: what is asked, and what follows."""

from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram.screen import Button, Screen
from models.promotion.consent import Place

YES, NO, QUIET, AGAIN = "news_yes", "news_no", "quiet", "news_again"


def offer(t: Texts) -> Screen:
    """Asks whether a customer wants news."""
    return Screen(
        t.gettext(
            "📣 May I write to you now and then when there is something new here: an offer, a new plan? Never at "
            "night, and /quiet ends it at any time."
        ),
        ((Button(t.gettext("Yes, news"), YES), Button(t.gettext("No, thanks"), NO)),),
    )


def welcome(t: Texts) -> Screen:
    """The customer gets news from now on."""
    return Screen(
        t.gettext("📣 Thank you. I write to you when there is something new. /quiet ends it."),
        ((quiet_button(t), keyboard.home(t)),),
    )


def declined(t: Texts) -> Screen:
    """The customer wants no news."""
    return Screen(t.gettext("All right, no news. I will not ask again."), ((keyboard.home(t),),))


def quiet(t: Texts, place: Place) -> Screen:
    """The customer gets no more news, as they said at that place."""
    return Screen(
        t.gettext("🔕 You get no more news from me. What concerns your own links, payments and plan I still tell you."),
        ((Button(t.gettext("📣 News again"), f"{AGAIN}:{place}"), keyboard.home(t)),),
    )


def quiet_button(t: Texts) -> Button:
    """Ends all news. It is under each of them."""
    return Button(t.gettext("🔕 No more news"), keyboard.ANEW + QUIET)
