"""What is true: the tables of the one database, and every operation on them.

One noun a module; nobody outside writes a query. It may import ``config``, never ``daemon`` or ``web``.
Each operation is one outermost IMMEDIATE transaction (``database.transaction``), unless it says that it belongs inside
its caller's. Values come back as frozen dataclasses, never as rows. ``now`` is an argument of all that depends on it.

Money: ``orders`` are what somebody set out to buy, ``facts`` what a provider says, ``ledger`` how that becomes rows,
``payments`` the operations and questions, ``subscriptions`` what renews, ``access`` what follows from all of it for a
customer, ``reminders`` its end, ``requests`` and ``webhooks`` remote work and hints, ``events`` what must be told.
"""
