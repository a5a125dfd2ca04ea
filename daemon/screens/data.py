"""A customer's stored data, exported and deleted; the operator's backups."""

import math

from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram.screen import Button, Screen
from models.maintenance.backups import Backup


def exported(t: Texts) -> str:
    """The caption of the exported file."""
    return t.gettext(
        "Everything that I store about you. Times are in UTC, amounts in the smallest unit of their currency. "
        "/deletemydata deletes it."
    )


def collecting(t: Texts) -> Screen:
    """The export takes a while."""
    return Screen(
        t.gettext(
            "I am collecting everything that I store about you. That takes a while; the file comes as soon as it is "
            "ready."
        )
    )


def exported_often(t: Texts, seconds: float) -> Screen:
    """The customer has had their data several times in the last hour."""
    return Screen(
        t.gettext(
            "I have just sent you your data several times. Wait {wait} and send /mydata again.",
            wait=t.duration(max(1, math.ceil(seconds))),
        )
    )


def confirm_erasure(t: Texts) -> Screen:
    """Asks for confirmation before the data is deleted."""
    return Screen(
        t.gettext(
            "<b>Delete your data?</b>\n"
            "I will delete your name, your language, the links that you sent and the chats that you opened. I will "
            "also cancel your links in the queue and your renewals.\n"
            "I keep, under a number without a name: your payments, as the law requires, and how much of your limits "
            "you have used. Plans and packs that you have paid for stay yours. A fingerprint of your id stays too, so "
            "that what is given once is not given twice.\n"
            "You lose the days that invitations have brought you, also those that have yet to begin. Your data "
            "disappears from the backups within about a month."
        ),
        ((Button(t.gettext("Yes, delete it"), "erase:yes"),), (keyboard.home(t),)),
    )


def erased(t: Texts) -> Screen:
    """The data is deleted."""
    return Screen(t.gettext("Done. I no longer know who you are. If you write to me again, we start over."))


def erasing(t: Texts) -> Screen:
    """The data is being deleted, and there is much of it."""
    return Screen(
        t.gettext(
            "I no longer know who you are, and I am deleting what you have sent me. There is much of it: I will tell "
            "you when it is done."
        )
    )


def backup(t: Texts, newest: Backup, size: int, now: int) -> str:
    """The caption of a backup."""
    text = t.gettext("Backup made {age} ago, {size}.", age=t.duration(now - newest.at), size=t.size(size))
    sealed = t.gettext("It opens only with your BACKUP_PASSPHRASE. Keep the passphrase in another place too.")
    return f"{text}\n{sealed}"


def unsealed(t: Texts) -> Screen:
    """The newest backup is not encrypted."""
    return Screen(t.gettext("Only encrypted backups can be downloaded. Set BACKUP_PASSPHRASE."))


def no_backup(t: Texts) -> Screen:
    """There is no backup yet."""
    return Screen(t.gettext("There is no backup yet. I make the first one a few seconds after the start."))
