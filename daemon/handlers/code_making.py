"""The operator's codes: made by buttons, listed, ended. To everybody else ``/code`` redeems one."""

from config.plans import Article
from config.units import DAY_S
from daemon.context import Context
from daemon.handlers import codes as redeeming
from daemon.handlers.customers import for_team
from daemon.screens import vocabulary
from daemon.screens.operator import codes
from daemon.screens.operator.codes import Composed
from models import acts
from models.money.vouchers import contents
from models.promotion import codes as made
from models.promotion.codes import CodeInfo, Draft
from models.roles import Act


async def code(context: Context) -> None:
    """``/code`` lists the codes, ``/code new …`` makes one by buttons, and anything else is a code to redeem."""
    if not context.argument:
        await show_all(context)
    elif vocabulary.says(vocabulary.new, context.argument.split()[0]):
        await compose(context)
    else:
        await redeeming.code(context)


async def show_all(context: Context) -> None:
    """All codes, and what they were used for."""
    shown: list[CodeInfo] = await context.deps.database(made.newest)
    held: int = await context.deps.database(made.held)
    await context.show(codes.listed(redeeming.setting_of(context), shown, context.now, held))


async def compose(context: Context) -> None:
    """The screen on which a code is put together; each button changes one thing."""
    articles = _articles(context)
    first = articles[0].code if articles else ""
    composed = codes.read(context.argument) or Composed(
        percent=0 if articles else codes.PERCENTS[1],
        article=first,
        days=30,
        uses=1,
        until=30,
        new_only=False,
        number=context.now % 1000,
    )
    await context.show(codes.compose(redeeming.setting_of(context), composed, articles))


async def make(context: Context) -> None:
    """The button that makes the code, once however often it is pressed."""
    composed = codes.read(context.argument)
    draft = None if composed is None else _draft(context, composed)
    if draft is None:
        await compose(context)
        return
    place = f"{context.deps.settings.bot_id}:{context.user.id}:{context.message_id}"
    source = f"message:{place}:{composed.number if composed else 0}"
    code: CodeInfo = await context.deps.database(acts.make_code, context.actor, draft, source, context.now)
    await context.show(codes.made(redeeming.setting_of(context), code))


def _draft(context: Context, composed: Composed) -> Draft | None:
    """What the buttons say; None where the plan or pack is gone."""
    article = next((each for each in _articles(context) if each.code == composed.article), None)
    if not composed.percent and article is None:
        return None
    content = None
    if not composed.percent and article is not None:
        content = contents.of_article(article, composed.days * DAY_S if article.level else None)
    return Draft(
        content=content,
        percent=composed.percent or None,
        uses=composed.uses or None,
        until=context.now + composed.until * DAY_S if composed.until else None,
        new_only=composed.new_only,
    )


async def end(context: Context) -> None:
    """The button that ends a code."""
    await context.deps.database(acts.end_code, context.actor, context.number or 0, context.now)
    await show_all(context)


async def have_work(context: Context) -> None:
    """After a restore: the codes of the backup work again."""
    count = await context.deps.database(acts.decide_held_codes, context.actor, context.now, end=False)
    await context.show(codes.decided(context.t, count, ended=False))


async def end_held(context: Context) -> None:
    """After a restore: the operator's codes of the backup end; gifts, which are paid, work again."""
    count = await context.deps.database(acts.decide_held_codes, context.actor, context.now, end=True)
    await context.show(codes.decided(context.t, count, ended=True))


def _articles(context: Context) -> list[Article]:
    """The paid plans and the packs, which can be given."""
    plans = context.deps.catalogue.plans
    return [*(plan for plan in plans.plans if plan.level), *plans.packs]


COMMANDS = {"code": code}
BUTTONS = {
    name: for_team(Act.EDIT_CODES, act)
    for name, act in {
        "codes": show_all,
        "code_new": compose,
        "code_make": make,
        "code_end": end,
        "codes_work": have_work,
        "codes_end": end_held,
    }.items()
}
