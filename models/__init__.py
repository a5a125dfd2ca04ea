"""The tables of the one database, and every operation on them.

One noun a module; no other package has a query. It may import ``config``, never ``daemon`` or ``web``.
Each operation is one outermost transaction (``database.transaction``), unless it says that it belongs inside its
caller's. It returns frozen dataclasses, never rows. ``now`` is an argument of all that depends on it.

``database/`` holds the connection, transactions and migrations, and all that only one kind of database understands.
``money/`` is what was bought and paid and the access that follows, ``jobs/`` what customers asked for and how it is
served, ``promotion/`` what brings customers and keeps them, ``maintenance/`` backups, retention, health and repair.
``outbox`` holds what must be told (``event_kinds``), ``users`` are customers, ``catalogue`` the plans that hold,
``notes`` small remembered values, ``tables`` all rows, ``errors`` what operations
raise.
"""
