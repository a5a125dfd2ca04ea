"""What the team does: each act is asked of the policy, done, and written into the audit, in one transaction.

What is refused is written too, by itself. Chat, buttons and console call the same functions here.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from config.money import STARS
from config.plans import Plan
from config.settings import Settings
from config.units import DAY_S
from models import audit, catalogue, console_sessions, conversations, customer_notes, outbox, overrides, users
from models.accounts import logins, pool
from models.accounts.logins import How
from models.audit import Actor, Entry
from models.database import execute, transaction
from models.errors import ActRefused, EditedMeanwhile, ModelError
from models.event_kinds import NewsPreviewed, PictureAsked
from models.jobs import queue, sources
from models.jobs.blocked_posts import Contents
from models.maintenance import backup_requests
from models.maintenance.backups import Backup
from models.money import access, orders, payments, subscriptions
from models.money.orders import OrderInfo
from models.money.providers import Provider
from models.promotion import broadcasts, codes, complaints, recipients
from models.promotion.broadcasts import Asks, Content, Rules, Wrong
from models.promotion.codes import CodeInfo, Draft
from models.promotion.complaints import ComplaintInfo, Decision
from models.promotion.segments import Segment
from models.roles import CUSTOMER_SPAN_DAYS, DAYS_A_CUSTOMER, DAYS_A_DAY, POLICY, TIMES_A_DAY, Act, Role, Team

_GIVEN_TO = """
SELECT COALESCE(SUM(seconds), 0) FROM adjustment
WHERE user_id = :user AND kind = 'give' AND at > :since AND "by" IS NOT NULL AND "by" NOT IN ({admins})
"""
_GIVEN_BY = "SELECT COALESCE(SUM(seconds), 0) FROM adjustment WHERE \"by\" = ? AND at > ? AND kind = 'give'"
_NOT_TO_THE_TEAM = frozenset({Act.GIVE_DAYS, Act.TAKE_ACCESS, Act.BAN, Act.UNBAN})
"""What a helper may not do to an admin, a helper or themselves."""


@contextlib.contextmanager
def acting(
    actor: Actor, act: Act, now: int, *, user_id: int | None = None, detail: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Do *act* in the body: one transaction with the policy before it and the audit row behind it.

    What the body adds to the dictionary that it gets is kept as the row's detail. Operations in the body that open a
    transaction by themselves must join this one. Where the body raises a :class:`ModelError`, nothing is done, and
    that it was tried is written.

    :param user_id: the customer whom it concerns.
    :raises ActRefused: the actor may not do that.
    """
    kept = dict(detail or {})
    try:
        with transaction():
            _check(actor, act, user_id)
            _check_number(actor, act, now)
            yield kept
            audit.append(actor, Entry(act, user_id, kept), now)
    except ModelError as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        record(actor, Entry(act, user_id, kept, refused=str(reason)), now)
        raise


def record(actor: Actor, entry: Entry, now: int) -> None:
    """Write what left no other row, or was refused."""
    with transaction():
        audit.append(actor, entry, now)


def give_days(
    actor: Actor, user_id: int, level: int, seconds: int | None, *, now: int, reason: str = "", source: str
) -> bool:
    """Give a customer so many seconds of a level (None: forever); False when *source* was given before.

    :raises ActRefused: the actor may not give that, or not so much.
    :raises NotFound: nobody has this id.
    """
    with acting(actor, Act.GIVE_DAYS, now, user_id=user_id, detail={"level": level, "seconds": seconds}) as kept:
        if actor.role is Role.HELPER:
            _check_allowance(actor, user_id, seconds, now)
        span: dict[str, Any] = {"forever": True} if seconds is None else {"seconds": seconds}
        new = access.give(user_id, level, reason=reason, by=actor.id, now=now, source=source, **span)
        kept |= {} if new else {"again": True}
    return new


def take_access(actor: Actor, user_id: int, level: int | None, now: int) -> tuple[bool, int]:
    """Take what is left of a level, or (None) of all, and end its renewals; whether there was any, how many ended."""
    with acting(actor, Act.TAKE_ACCESS, now, user_id=user_id, detail={"level": level}):
        ended = subscriptions.ask_end(user_id, level, actor.id, now)
        taken = access.take(user_id, level, seconds=None, reason="revoked by an admin", by=actor.id, now=now)
    return taken, ended


def ban(actor: Actor, user_id: int, now: int) -> int:
    """Ban a customer, cancel their waiting links, end their renewals; return how many of these.

    :raises ActRefused: the actor may not, or the customer is an admin.
    :raises NotFound: nobody has this id.
    """
    with acting(actor, Act.BAN, now, user_id=user_id):
        users.ban(user_id, now)
        ended = subscriptions.ask_end(user_id, None, actor.id, now)
        queue.cancel(user_id, None, now)
    return ended


def unban(actor: Actor, user_id: int, now: int) -> None:
    """Undo :func:`ban`, but for what it ended."""
    with acting(actor, Act.UNBAN, now, user_id=user_id):
        users.unban(user_id, now)


def note(actor: Actor, user_id: int, text: str, now: int) -> None:
    """Note something about a customer, who may read it."""
    with acting(actor, Act.NOTE, now, user_id=user_id):
        customer_notes.add(user_id, text, actor.id, now)


def message(actor: Actor, user_id: int, text: str, now: int, *, source: str | None = None) -> None:
    """Have a customer told *text*, once for each *source*; their answer comes back to the actor."""
    with acting(actor, Act.MESSAGE, now, user_id=user_id):
        conversations.say(actor.id, user_id, text, from_operator=True, now=now, source=source)


def refund(actor: Actor, payment_id: int, amount: int | None, now: int, *, seen: int | None = None) -> None:
    """Ask the provider for a refund, in minor units (None: all that is left), as :func:`payments.ask_refund` does.

    :raises NotFound: no such payment.
    :raises RefundRefused: the payment does not allow it.
    """
    paid = payments.get(payment_id)
    detail = {"payment": paid.remote_id if paid else payment_id, "amount": amount}
    with acting(actor, Act.REFUND, now, user_id=paid.user_id if paid else None, detail=detail):
        payments.ask_refund(payment_id, amount, actor.id, now, seen=seen)


def end_renewal(actor: Actor, subscription_id: int, now: int) -> None:
    """Ask the provider to end a renewal. The paid time stays.

    :raises NotFound: no such subscription.
    :raises MoveRefused: it does not renew.
    """
    found = subscriptions.get(subscription_id)
    detail = {"subscription": found.remote_id if found else subscription_id}
    with acting(actor, Act.END_RENEWAL, now, user_id=found.user_id if found else None, detail=detail):
        subscriptions.ask_cancel(subscription_id, actor.id, now)


def begin_test_payment(actor: Actor, trial: Plan, now: int, *, seller: int, secret: str) -> OrderInfo:
    """Make the actor's order of a test payment in Stars, which gives nothing; see :func:`orders.create`."""
    with acting(actor, Act.TEST_PAYMENT, now):
        return orders.create(
            actor.id, trial, Provider.STARS, STARS, now=now, purpose="test", seller=seller, secret=secret
        )


def end_sessions(actor: Actor, now: int) -> int:
    """End all of the actor's own sessions of the console; return how many."""
    with acting(actor, Act.END_SESSION, now) as kept:
        ended = console_sessions.end_all(actor.id, now)
        kept["sessions"] = ended
    return ended


def decide_chat(actor: Actor, chat_id: int, now: int, *, allow: bool) -> None:
    """Open a chat to all customers, or close it to everybody."""
    with acting(actor, Act.OPEN_CHAT if allow else Act.BLOCK_CHAT, now, detail={"chat": chat_id}):
        (sources.allow if allow else sources.block)(chat_id, actor.id, now)


def decide_complaint(
    actor: Actor,
    known: ComplaintInfo,
    decision: Decision,
    now: int,
    *,
    post: Contents | None = None,
    channel: int | None = None,
) -> ComplaintInfo | None:
    """Decide a complaint, as :func:`models.promotion.complaints.decide` does; look at what it is then decided as."""
    detail = {"link": known.link, "decision": decision}
    with acting(actor, Act.DECIDE_COMPLAINT, now, user_id=known.reporter, detail=detail) as kept:
        before = complaints.get(known.id)
        kept |= {"again": True} if before is not None and before.decision is decision else {}
        decided = complaints.decide(known.id, decision, actor.id, now, post=post, channel=channel)
        kept |= {"replaced": True} if decided is not None and decided.decision is not decision else {}
        return decided


def make_code(actor: Actor, draft: Draft, source: str, now: int) -> CodeInfo:
    """Make a code, as :func:`models.promotion.codes.make` does."""
    with acting(actor, Act.EDIT_CODES, now) as kept:
        made = codes.make(draft, actor.id, source, now)
        kept |= {"made": made.id, "kind": made.kind, "percent": made.percent, "uses": made.uses, "until": made.until}
        return made


def end_code(actor: Actor, code_id: int, now: int) -> bool:
    """End one of the operator's codes."""
    with acting(actor, Act.EDIT_CODES, now, detail={"ended": code_id}):
        return codes.end(code_id, now)


def decide_held_codes(actor: Actor, now: int, *, end: bool) -> int:
    """After a restore: end the operator's codes that it holds, or have them work again; gifts work in either case."""
    with acting(actor, Act.EDIT_CODES, now, detail={"held": "ended" if end else "released"}) as kept:
        kept["count"] = codes.end_held(now) if end else codes.release()
        return int(kept["count"])


def fetch_backup(actor: Actor, backup: Backup, now: int) -> bool:
    """Let the actor take a backup away, if it is encrypted: a plain one is the whole shop for whoever finds it."""
    detail = {"name": backup.name}
    if not backup.sealed:
        record(actor, Entry(Act.FETCH_BACKUP, detail=detail, refused="unsealed"), now)
        return False
    with acting(actor, Act.FETCH_BACKUP, now, detail=detail):
        return True


def ask_backup(actor: Actor, now: int, *, verify: str | None = None) -> None:
    """Have upkeep make a backup now, or examine the one named *verify*."""
    with acting(actor, Act.BACK_UP, now, detail={"verify": verify} if verify else None):
        backup_requests.ask(now, verify=verify)


def edit_shop(actor: Actor, text: str, seen: int, now: int) -> None:
    """Let another text of the plans hold. *seen* is the version that the editor began from.

    :raises PlansError: it cannot be used.
    :raises EditedMeanwhile: another version holds by now.
    """
    with acting(actor, Act.EDIT_SHOP, now, detail={"from": seen}):
        other = catalogue.put(text, seen=seen, author=actor.id, now=now)
        if other is not None:
            raise EditedMeanwhile(other.author)


def undo_shop(actor: Actor, version: int, now: int) -> bool:
    """Let hold again what held before a version; False where that version does not hold any more."""
    with acting(actor, Act.EDIT_SHOP, now, detail={"undo": version}) as kept:
        is_undone = catalogue.undo(version, author=actor.id, now=now)
        kept |= {} if is_undone else {"over": True}
    return is_undone


def write_broadcast(
    actor: Actor, draft: int, content: Content | None, segment: Segment, at: int | None, *, now: int
) -> None:
    """Set what an admin's draft says (None: what it says already), to whom it goes, and when (None: at once)."""
    with acting(actor, Act.BROADCAST, now, detail={"draft": draft}):
        if content is not None:
            broadcasts.write(draft, content, now)
        broadcasts.set_segment(draft, segment)
        broadcasts.set_start(draft, at)


def add_broadcast_button(actor: Actor, draft: int, button: tuple[str, str, str], now: int) -> bool:
    """Add a button to a draft; False when there are as many as fit."""
    with acting(actor, Act.BROADCAST, now, detail={"draft": draft, "button": list(button)}):
        return broadcasts.add_button(draft, button, now)


def strip_broadcast(actor: Actor, draft: int, now: int) -> None:
    """Take all buttons off a draft."""
    with acting(actor, Act.BROADCAST, now, detail={"draft": draft, "buttons": []}):
        broadcasts.drop_buttons(draft)


def preview_broadcast(actor: Actor, draft: int, now: int) -> None:
    """Have the actor see in their own chat how their draft will look."""
    with acting(actor, Act.BROADCAST, now, detail={"preview": draft}):
        outbox.append(NewsPreviewed(broadcast=draft), actor.id, now)


def ask_broadcast_picture(actor: Actor, draft: int, now: int) -> None:
    """Have the actor's next picture or video in their chat become that of their draft."""
    with acting(actor, Act.BROADCAST, now, detail={"picture": draft}):
        if broadcasts.ask(draft, Asks.MEDIA, now):
            outbox.append(PictureAsked(broadcast=draft), actor.id, now)


def drop_broadcast_picture(actor: Actor, draft: int, now: int) -> None:
    """Take the picture or video off a draft."""
    with acting(actor, Act.BROADCAST, now, detail={"draft": draft, "picture": None}):
        broadcasts.drop_media(draft)


def discard_broadcast(actor: Actor, draft: int, now: int) -> None:
    """Throw a draft away."""
    with acting(actor, Act.BROADCAST, now, detail={"discard": draft}):
        broadcasts.discard(draft)


def send_broadcast(
    actor: Actor, draft: int, rules: Rules, number: int, now: int, *, status_message_id: int | None = None
) -> Wrong | None:
    """Have a draft go out to about *number* people; or what is wrong with that.

    :param status_message_id: the message in the actor's chat that shows how far it is.
    """
    with acting(actor, Act.BROADCAST, now, detail={"send": draft, "people": number}) as kept:
        wrong = broadcasts.send(draft, rules, number, status_message_id=status_message_id, now=now)
        kept |= {"wrong": wrong} if wrong else {}
    return wrong


def stop_broadcast(actor: Actor, broadcast: int, now: int, told: Mapping[str, int] | None = None) -> bool:
    """Stop a broadcast; False when it had ended before. *told* is as for :func:`broadcasts.stop`."""
    told = recipients.counts(broadcast) if told is None else told
    with acting(actor, Act.BROADCAST, now, detail={"stop": broadcast}):
        return broadcasts.stop(broadcast, "", now, told)


def delete_broadcast(actor: Actor, broadcast: int, now: int, told: Mapping[str, int] | None = None) -> None:
    """Have what was sent deleted again. *told* is as for :func:`broadcasts.stop`."""
    told = recipients.counts(broadcast) if told is None else told
    with acting(actor, Act.BROADCAST, now, detail={"delete": broadcast}):
        broadcasts.delete_everywhere(broadcast, now, told)


def change_setting(actor: Actor, read: Settings, name: str, value: str | None, *, seen: int, now: int) -> None:
    """Change a setting for all programs; see :func:`models.overrides.put`.

    :raises ConfigurationError: the value cannot be used, or the setting cannot be changed here.
    :raises EditedMeanwhile: somebody else has changed it since.
    """
    with acting(actor, Act.EDIT_SETTINGS, now, detail={"name": name, "value": value}):
        other = overrides.put(read, name, value, seen=seen, author=actor.id, now=now)
        if other is not None:
            raise EditedMeanwhile(str(other.author), other.value)


def begin_login(actor: Actor, how: How, now: int, *, reads: bool) -> int:
    """Begin to log an account in; return the log-in's id. See :func:`models.accounts.logins.begin`.

    :raises LoginRefused: it cannot begin now.
    """
    with acting(actor, Act.MANAGE_ACCOUNTS, now, detail={"log_in": how}):
        return logins.begin(how, actor.id, now, reads=reads)


def use_account(actor: Actor, account_id: int, now: int) -> None:
    """Let an account read, in place of the present one.

    :raises NotFound: there is no such account.
    """
    with acting(actor, Act.MANAGE_ACCOUNTS, now, detail={"use": account_id}):
        pool.use(account_id, actor.id, now)


def pause_account(actor: Actor, account_id: int, now: int) -> None:
    """Let nobody read with an account.

    :raises NotFound: there is no such account.
    """
    with acting(actor, Act.MANAGE_ACCOUNTS, now, detail={"pause": account_id}):
        pool.pause(account_id, actor.id, now)


def forget_account(actor: Actor, account_id: int, now: int) -> None:
    """Delete an account that does not read.

    :raises NotFound: there is no such account.
    :raises MoveRefused: it reads, or is in the settings, or is the last one.
    """
    with acting(actor, Act.MANAGE_ACCOUNTS, now, detail={"forget": account_id}):
        pool.forget(account_id, actor.id, now)


def days_left(team: Team, by: int, user_id: int, now: int) -> tuple[int, int]:
    """The days that a helper may still give this customer, and all customers together."""
    since, today = now - CUSTOMER_SPAN_DAYS * DAY_S, now - DAY_S
    admins = ", ".join(map(str, sorted(team.admins))) or "0"
    ((to_them,),) = execute(_GIVEN_TO.format(admins=admins), {"user": user_id, "since": since}).fetchall()
    ((by_helper,),) = execute(_GIVEN_BY, (by, today)).fetchall()
    return DAYS_A_CUSTOMER - -(-to_them // DAY_S), DAYS_A_DAY - -(-by_helper // DAY_S)


def _check(actor: Actor, act: Act, user_id: int | None) -> None:
    if actor.role not in POLICY[act].roles:
        raise ActRefused(act, "role")
    if user_id is None:
        return
    if act is Act.BAN and actor.team.role_of(user_id) is Role.ADMIN:
        raise ActRefused(act, "team")
    if actor.role is Role.HELPER and act in _NOT_TO_THE_TEAM and user_id in actor.team:
        raise ActRefused(act, "team")


def _check_number(actor: Actor, act: Act, now: int) -> None:
    most = TIMES_A_DAY.get(act) if actor.role is Role.HELPER else None
    if most is not None and audit.number(actor.id, act, now - DAY_S) >= most:
        raise ActRefused(act, "daily_times")


def _check_allowance(actor: Actor, user_id: int, seconds: int | None, now: int) -> None:
    to_them, in_all = days_left(actor.team, actor.id, user_id, now)
    if seconds is None or seconds > to_them * DAY_S:
        raise ActRefused(Act.GIVE_DAYS, "customer_days", max(0, to_them))
    if seconds > in_all * DAY_S:
        raise ActRefused(Act.GIVE_DAYS, "daily_days", max(0, in_all))
