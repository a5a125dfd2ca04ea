"""What is true: the tables of the one database, and every operation on them.

One noun a module; nobody outside writes a query. It may import ``config``, never ``daemon`` or ``web``.
Each operation is one outermost IMMEDIATE transaction (``database.transaction``), unless it says that it belongs inside
its caller's. Values come back as frozen dataclasses, never as rows. ``now`` is an argument of all that depends on it.
"""
