"""Transfers: from a link to a delivered file.

``worker`` claims jobs and runs each through ``pipeline``: ``resolver`` finds the post (``reader``, ``invitations``) and
decides whether this customer may have it; ``delivery`` sends it the cheapest way that works: from the cache, by
reference, or as a file that ``fetch`` uploads, streamed by ``streaming`` between ``datacentres``. ``media`` knows the
kinds of files, ``progress`` shows how far a job has come, ``delivery_notifier`` tells how it ended.
"""
