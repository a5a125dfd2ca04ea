"""What is true: the tables of the one database, and every operation on them.

One noun a module; nobody outside writes a query. It may import ``config``, never ``daemon`` or ``web``.
Each operation is one outermost IMMEDIATE transaction (``database.transaction``), unless it says that it belongs inside
its caller's. Values come back as frozen dataclasses, never as rows. ``now`` is an argument of all that depends on it.

``money/`` is what was bought and paid and the access that follows, ``jobs/`` what customers asked for and how it is
served, ``maintenance/`` backups, retention, health and repair. ``outbox`` holds what must be told, ``tables`` all rows.
"""
