"""The first start: who may set the shop up, how far they have come, and what the daemon is asked to check.

Lives here: when set-up is open, its one-time address, its owner and the steps that are done (``opening``), what is
asked of Telegram meanwhile (``checks``), who becomes the admin (``admins``). Imports ``config``, and of ``models`` the
database, tables, notes, audit, roles, errors and ``promotion.identity``.
"""
