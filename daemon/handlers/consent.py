"""Who wants news: ``/quiet``, and the buttons under the question and under news."""

from daemon.context import Context
from daemon.screens import consent as screens
from models.promotion import consent
from models.promotion.consent import Answer, Place


async def quiet(context: Context) -> None:
    """``/quiet``, or the button under news: no more of it, at once."""
    place = Place.NEWS if context.key.startswith("button") else Place.COMMAND
    screen = screens.quiet(context.t, place)
    await _keep(context, Answer.NO, place, screen.text)
    await context.show(screen)


async def again(context: Context) -> None:
    """[News again], under what they read when they wanted no more of it."""
    place = Place.NEWS if context.argument == Place.NEWS else Place.COMMAND
    await _keep(context, Answer.YES, place, screens.quiet(context.t, place).text)
    await context.show(screens.welcome(context.t))


async def accept(context: Context) -> None:
    """[Yes, news]."""
    await _keep(context, Answer.YES, Place.DELIVERY, screens.offer(context.t).text)
    await context.show(screens.welcome(context.t))


async def decline(context: Context) -> None:
    """[No, thanks]."""
    await _keep(context, Answer.NO, Place.DELIVERY, screens.offer(context.t).text)
    await context.show(screens.declined(context.t))


async def _keep(context: Context, answer: Answer, place: Place, words: str) -> None:
    await context.deps.database(consent.say, context.user.id, answer, place, words=words, now=context.now)


COMMANDS = {"quiet": quiet}
BUTTONS = {screens.QUIET: quiet, screens.AGAIN: again, screens.YES: accept, screens.NO: decline}
