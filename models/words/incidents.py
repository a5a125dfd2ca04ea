"""What is wrong, in words for the operator, with what to do about it."""

from collections.abc import Callable, Mapping
from html import escape

from config.texts import Texts
from models.event_kinds import IncidentKey

INCIDENTS: Mapping[str, Callable[[Texts], str]] = {
    IncidentKey.ACCOUNT_REVOKED: lambda t: t.gettext(
        "The reading account is logged out, so I deliver nothing that needs it. Log it, or another one, in on the "
        "console's page Accounts (or with make session, for TELEGRAM_SESSION_STRING): links that wait go on."
    ),
    IncidentKey.ACCOUNT_UNOPENABLE: lambda t: t.gettext(
        "The session of the reading account does not open: it was encrypted with another SECRET_KEY, or is damaged. "
        "So I deliver nothing that needs it. Put the former SECRET_KEY back and restart, or log the account, or "
        "another one, in on the console's page Accounts: links that wait go on."
    ),
    IncidentKey.ACCOUNT_BANNED: lambda t: t.gettext(
        "Telegram has banned the reading account, so I deliver nothing that needs it. Log another one in on the "
        "console's page Accounts (or with make session, for TELEGRAM_SESSION_STRING): links that wait go on."
    ),
    IncidentKey.ACCOUNT_FROZEN: lambda t: t.gettext(
        "Telegram has frozen the reading account: it still reads the chats that it is in, but opens no new ones. "
        "Log in to Telegram with that account, which shows why and how to appeal; below is until when it may. "
        "Links that need it wait, and go on by themselves when it is over."
    ),
    IncidentKey.ACCOUNT_LIMITED: lambda t: t.gettext(
        "Telegram limits the reading account, because it was reported as spam: it joins no chats now. Write to "
        "@SpamBot with that account, which says until when. Invitations wait, and go on by themselves when it is "
        "over; JOIN_BY_INVITATION=nobody stops them."
    ),
    IncidentKey.ACCOUNT_FLAGGED: lambda t: t.gettext(
        "Telegram shows the reading account as restricted, and may freeze or ban it next; what it says is below. "
        "Write to @SpamBot with that account, and have another one ready."
    ),
    IncidentKey.BACKUP_FAILED: lambda t: t.gettext(
        "I could not back up the database; the reason is below. If the database is damaged, this command restores "
        "it: manage.py restore latest."
    ),
    IncidentKey.BACKUP_COPY_FAILED: lambda t: t.gettext(
        "I could not copy the newest backup to your storage. The backup is safe on this server; check the "
        "BACKUP_S3_ settings."
    ),
    IncidentKey.BACKUP_COPY_ELSEWHERE: lambda t: t.gettext(
        "The bucket of BACKUP_S3_BUCKET holds backups of another database, so I copy nothing there. If you have "
        "lost that database, restore it with manage.py restore and the name below. Otherwise name another bucket, "
        "or empty this one."
    ),
    IncidentKey.BACKUP_COPIES_KEPT: lambda t: t.gettext(
        "I could not delete old backups from your storage; new ones arrive there as before. Let the key of "
        "BACKUP_S3_ACCESS_KEY list and delete too, or delete old backups yourself."
    ),
    IncidentKey.LEDGER_CONTRADICTS_ITSELF: lambda t: t.gettext(
        "The ledger does not add up. Nothing is damaged, and backups go on as before. Look at this payment at the "
        "provider, under the number in brackets."
    ),
    IncidentKey.WEBHOOK_MISSING: lambda t: t.gettext(
        "PayPal has no webhook of this bot, so I notice payments up to a minute late, and refunds up to an hour "
        "late. Check that PayPal can reach BACKEND_URL (make doctor)."
    ),
    IncidentKey.PAYPAL_DENIED: lambda t: t.gettext(
        "PayPal does not accept PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET any more, so nobody can pay with "
        "PayPal. Put new ones into the settings and restart."
    ),
    IncidentKey.PAYPAL_LEFT: lambda t: t.gettext(
        "PayPal is switched off here, but customers go on paying for renewals there, or wait for a refund. What it is "
        "about is below: put PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET back until it is done, or end it on PayPal's "
        "own pages."
    ),
    IncidentKey.DISPUTES_REFUSED: lambda t: t.gettext(
        "PayPal does not show me its disputes, so a disputed payment does not pause access. Switch on “Customer "
        "disputes” for the application in PayPal's developer pages."
    ),
    IncidentKey.PLANS_REFUSED: lambda t: t.gettext(
        "I cannot use what the plans file (plans.toml) says now, so the plans and prices from before go on. What "
        "is wrong is below: correct the file, and I take it over at once."
    ),
    IncidentKey.REPORT_REFUSED: lambda t: t.gettext(
        "PayPal does not show me its list of transactions, so I cannot compare the ledger with it. Switch on "
        "“Transaction search” for the application in PayPal's developer pages."
    ),
    IncidentKey.PAYPAL_AWAY: lambda t: t.gettext(
        "PayPal has not answered for more than ten minutes, so nobody can pay with PayPal. I will settle what was "
        "paid when it is back. Stars still work."
    ),
    IncidentKey.WEBHOOKS_FAILING: lambda t: t.gettext(
        "PayPal's notifications do not arrive. I notice payments all the same, up to a minute late. Check that "
        "PayPal can reach BACKEND_URL (make doctor)."
    ),
    IncidentKey.DISK_NEARLY_FULL: lambda t: t.gettext(
        "The disk is nearly full. Make room or enlarge the disk: once it is full, I can deliver and sell nothing."
    ),
    IncidentKey.DISK_FULL: lambda t: t.gettext(
        "I cannot write to the database; the disk seems to be full. Deliveries and sales wait. Make room: then "
        "everything goes on by itself, and I settle what was paid meanwhile."
    ),
    IncidentKey.CRASH_LOOP: lambda t: t.gettext(
        "A program keeps crashing. I start it again each time, but what it does stands still in between. The console's "
        "page Log says why, as does manage.py logs --level error."
    ),
    IncidentKey.CANARY_FAILED: lambda t: t.gettext(
        "Today's test delivery to you did not arrive, so customers may be waiting in vain too. /status shows more."
    ),
    IncidentKey.CHORE_FAILING: lambda t: t.gettext(
        "A background task keeps failing; its name is below. I go on trying it, and everything else works. The "
        "console's page Log says why, as does manage.py logs --program upkeep."
    ),
}
"""What is wrong, and what to do about it."""


def label(t: Texts, key: str) -> str:
    """What is wrong, with what to do about it."""
    say = INCIDENTS.get(key)
    return say(t) if say else escape(key)
