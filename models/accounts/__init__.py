"""The Telegram accounts that read posts: which there are, which one reads, and how one logs in.

Lives here: the accounts and their states (``pool``), log-ins in progress (``logins``), and the two kinds of encryption
that keep sessions and typed secrets out of the database's reach (``sealing``). Imports ``config``, and of ``models``
the database, tables, errors, notes, the outbox and ``jobs.sources``.
"""
