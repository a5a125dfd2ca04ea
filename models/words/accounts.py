"""How an account that reads posts is, in words."""

from config.texts import Texts


def state(t: Texts, said: str) -> str:
    """The state of an account; one that this version does not know stands as it is."""
    return {
        "active": t.gettext("reads"),
        "standby": t.gettext("stands by"),
        "paused": t.gettext("paused"),
        "revoked": t.gettext("logged out by Telegram"),
        "banned": t.gettext("banned by Telegram"),
        "frozen": t.gettext("frozen by Telegram"),
        "unopenable": t.gettext("its session does not open"),
    }.get(said, said)


def connection(t: Texts, said: str) -> str:
    """The state of its connection in words, ``?`` for one that nobody has told; an unknown one stands as it is."""
    return {
        "starting": t.gettext("starting"),
        "ok": t.gettext("connected"),
        "lost": t.gettext("connection lost"),
        "revoked": t.gettext("logged out by Telegram"),
        "banned": t.gettext("banned by Telegram"),
        "unopenable": t.gettext("its session does not open"),
        "paused": t.gettext("paused"),
        "?": t.gettext("not known yet"),
    }.get(said, said)
