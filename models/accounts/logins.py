"""Log-ins of accounts in progress: asked and answered through rows, carried out by the daemon.

One at a time. A person begins it on a page, types what is asked for, and each answer is encrypted for the daemon that
runs now; the daemon reads it, deletes it, and asks Telegram. At most :data:`ATTEMPTS` wrong answers to a question,
:data:`CODES_A_DAY` codes, :data:`LASTS_S` from the first page to the last. A daemon that starts anew has forgotten the
private key: what was in progress has ended, and begins again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from config.units import DAY_S, MINUTE_S
from models import notes
from models.accounts import sealing
from models.database import execute, joined_transaction, transaction
from models.errors import LoginRefused
from models.tables import AccountLogin

ATTEMPTS, CODES_A_DAY, LASTS_S = 3, 5, 10 * MINUTE_S
LONGEST_ANSWER = 256
"""Characters: longer than any number, code or password that Telegram takes."""
RECIPIENT = "account_logins"
"""The note of the daemon that carries out log-ins: its public key."""

_ANSWER = """
UPDATE account_login SET sealed = ?, state = 'answered' WHERE id = ? AND state = 'asked' AND step = ? RETURNING id
"""
_ANY_OPEN = "SELECT 1 FROM account_login WHERE state IN ('asked', 'answered') LIMIT 1"
"""Asked after every commit of any program, nearly always for nothing."""
_CODES = "SELECT COALESCE(SUM(codes), 0) FROM account_login WHERE at > ?"
AGAIN = ""
"""Answered to the question for a code: send it again, another way."""


class How(StrEnum):
    """By what somebody shows whose account it is."""

    NUMBER = "number"
    QR = "qr"


class Step(StrEnum):
    """What is being asked for, as it is stored."""

    NUMBER = "number"
    CODE = "code"
    PASSWORD = "password"
    SCAN = "scan"


class LoginState(StrEnum):
    """Whose turn it is, as it is stored."""

    ASKED = "asked"
    """The person's."""
    ANSWERED = "answered"
    """The daemon's."""
    DONE = "done"
    ENDED = "ended"
    """It came to nothing; ``said`` has the ``fault``."""

    @property
    def is_open(self) -> bool:
        """Does it go on?"""
        return self in (LoginState.ASKED, LoginState.ANSWERED)


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """A log-in. ``said`` is what the page shows: ``where`` the code is, the ``fault``, the ``qr`` code, a ``name``."""

    id: int
    how: How
    by: int | None
    reads: bool
    key: str
    step: Step
    state: LoginState
    sealed: str | None
    wrong: int
    codes: int
    said: Mapping[str, Any]
    account_id: int | None
    at: int
    expires_at: int

    def is_over(self, now: int) -> bool:
        """Whether nothing more comes of it, although the row may not say so yet."""
        return not self.state.is_open or self.expires_at <= now

    @property
    def about(self) -> str:
        """What an answer to the present question is encrypted for."""
        return f"login {self.id} {self.step}"


# ---- of the person who logs in


def begin(how: How, by: int | None, now: int, *, reads: bool = False) -> int:
    """Begin a log-in, and end the one that was in progress; return its id. Inside the caller's transaction, or its own.

    :param by: the admin; None for the set-up.
    :param reads: the account is to read, in place of the present one.
    :raises LoginRefused: no daemon is there (``away``), or Telegram was asked for too many codes (``codes``).
    """
    with joined_transaction():
        recipient = notes.get(RECIPIENT)
        if recipient is None:
            raise LoginRefused("away")
        if how is How.NUMBER and codes_left(now) == 0:
            raise LoginRefused("codes")
        end_all("replaced")
        first = (Step.NUMBER, LoginState.ASKED) if how is How.NUMBER else (Step.SCAN, LoginState.ANSWERED)
        begun: int = AccountLogin.insert(
            how=how,
            by=by,
            reads=reads,
            key=recipient["key"],
            step=first[0],
            state=first[1],
            at=now,
            expires_at=now + LASTS_S,
        ).execute()
    return begun


def answer(login: LoginInfo, text: str, now: int) -> None:
    """Answer what a log-in asks for.

    :raises LoginRefused: it has ended (``over``), or asks for something else by now (``turn``).
    """
    if login.is_over(now):
        raise LoginRefused("over")
    sealed = sealing.seal_for(login.key, text[:LONGEST_ANSWER], login.about)
    with transaction():
        if not execute(_ANSWER, (sealed, login.id, login.step)).fetchall():
            raise LoginRefused("turn")


def cancel(login_id: int) -> None:
    """End a log-in that its person does not want any more."""
    with joined_transaction():
        _end(login_id, "cancelled")


def get(login_id: int) -> LoginInfo | None:
    """A log-in; None when there is none of this id."""
    row = AccountLogin.get_or_none(AccountLogin.id == login_id)
    return None if row is None else _info(row)


def newest(by: int | None) -> LoginInfo | None:
    """The newest log-in that this admin, or (None) the set-up, has begun."""
    whose = AccountLogin.by.is_null() if by is None else AccountLogin.by == by
    row = AccountLogin.select().where(whose).order_by(AccountLogin.id.desc()).first()
    return None if row is None else _info(row)


def codes_left(now: int) -> int:
    """How many codes Telegram may still be asked for."""
    ((asked,),) = execute(_CODES, (now - DAY_S,)).fetchall()
    return max(0, CODES_A_DAY - int(asked))


# ---- of the daemon that carries it out


def serve(public_key: str, now: int) -> None:
    """Let a daemon carry out log-ins from now on. Those of its predecessor have ended."""
    with transaction():
        end_all("interrupted")
        notes.write(RECIPIENT, {"key": public_key}, now)


def current() -> LoginInfo | None:
    """The log-in in progress."""
    if execute(_ANY_OPEN).fetchone() is None:
        return None
    row = AccountLogin.select().where(_is_open()).first()
    return None if row is None else _info(row)


def take(login_id: int) -> str | None:
    """The encrypted answer, which is deleted from the row; None where there is none."""
    with transaction():
        row = AccountLogin.get_or_none(AccountLogin.id == login_id)
        if row is None or row.state != LoginState.ANSWERED:
            return None
        AccountLogin.update(sealed=None).where(AccountLogin.id == login_id).execute()
        return str(row.sealed) if row.sealed is not None else None


def ask(login_id: int, step: Step, **said: Any) -> None:
    """Ask the person for the next thing. A new question has all its attempts."""
    with transaction():
        _ask(login_id, step, wrong=0, said=said)


def ask_again(login_id: int, fault: str, *, counts: bool = True, **said: Any) -> bool:
    """Ask the same once more; False where the answer was wrong too often: the log-in has ended.

    :param counts: the answer was wrong; otherwise it could not be tried.
    """
    with transaction():
        known = get(login_id)
        if known is None or not known.state.is_open:
            return False
        wrong = known.wrong + counts
        if wrong >= ATTEMPTS:
            _end(login_id, fault)
            return False
        _ask(login_id, known.step, wrong=wrong, said={**known.said, **said, "fault": fault})
        return True


def spend_code(login_id: int, now: int) -> bool:
    """Count a code that Telegram is about to be asked for; False when the day's are spent."""
    with transaction():
        if codes_left(now) == 0:
            return False
        AccountLogin.update(codes=AccountLogin.codes + 1).where(AccountLogin.id == login_id).execute()
        return True


def give_back_code(login_id: int) -> None:
    """Telegram has sent none."""
    with transaction():
        AccountLogin.update(codes=AccountLogin.codes - 1).where(AccountLogin.id == login_id).execute()


def goes_on(login_id: int) -> bool:
    """Whether nobody has ended it: its person, another log-in, a backup that was restored."""
    known = get(login_id)
    return known is not None and known.state.is_open


def finish(login_id: int, account_id: int, name: str) -> None:
    """Record that the account is logged in. Inside the caller's transaction, in which it :func:`goes_on`."""
    AccountLogin.update(state=LoginState.DONE, sealed=None, said={"name": name}, account=account_id).where(
        AccountLogin.id == login_id
    ).execute()


def fail(login_id: int, fault: str, **said: Any) -> None:
    """Record that it came to nothing."""
    with transaction():
        _end(login_id, fault, **said)


def end_all(why: str) -> None:
    """End whatever is in progress. Inside the caller's transaction, or its own."""
    with joined_transaction():
        for row in AccountLogin.select(AccountLogin.id).where(_is_open()):
            _end(row.id, why)


def _ask(login_id: int, step: Step, *, wrong: int, said: Mapping[str, Any]) -> None:
    AccountLogin.update(step=step, state=LoginState.ASKED, sealed=None, wrong=wrong, said=dict(said)).where(
        (AccountLogin.id == login_id) & _is_open()
    ).execute()


def _end(login_id: int, fault: str, **said: Any) -> None:
    AccountLogin.update(state=LoginState.ENDED, sealed=None, said={**said, "fault": fault}).where(
        (AccountLogin.id == login_id) & _is_open()
    ).execute()


def _is_open() -> Any:
    return AccountLogin.state.in_((LoginState.ASKED, LoginState.ANSWERED))


def _info(row: AccountLogin) -> LoginInfo:
    return LoginInfo(
        id=row.id,
        how=How(row.how),
        by=row.by,
        reads=row.reads,
        key=row.key,
        step=Step(row.step),
        state=LoginState(row.state),
        sealed=row.sealed,
        wrong=row.wrong,
        codes=row.codes,
        said=row.said,
        account_id=row.account_id,
        at=row.at,
        expires_at=row.expires_at,
    )
