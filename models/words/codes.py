"""What became of codes, in words: the same in the chat and in the console."""

from config.texts import Texts


def held(t: Texts, count: int) -> str:
    """So many codes are held by a restore."""
    return t.ngettext(
        "{n} code or gift waits since a backup was restored: nobody knows here whether it was redeemed since then.",
        "{n} codes and gifts wait since a backup was restored: nobody knows here whether they were redeemed since "
        "then.",
        count,
    )


def decided(t: Texts, count: int, *, ended: bool) -> str:
    """What became of the codes that a restore held."""
    if ended:
        return t.ngettext("{n} code has ended; gifts work again.", "{n} codes have ended; gifts work again.", count)
    return t.ngettext("{n} code works again.", "{n} codes work again.", count)
