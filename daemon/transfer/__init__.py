"""Transfers: from a link to a delivered file.

``worker`` claims jobs and runs each through ``pipeline``: ``resolver`` finds the post (``reader``, ``invitations``) and
decides whether this customer may have it; ``delivery`` sends it the cheapest way that works: from the cache, by
reference, or as a file that ``fetch`` uploads, streamed by ``streaming`` between ``datacentres``. ``media`` knows the
kinds of files, ``progress`` shows how far a job has come (``run``), ``waits`` for what one waits, ``delivery_notifier``
tells how it ended. ``single_flight`` fetches once for all who ask, ``errors`` is how a transfer ends without a
delivery.
"""
