"""Transfers: from a link to a delivered file.

``worker`` claims jobs and ``pipeline`` is the way of each: ``resolver`` finds the post (``reader``, ``invitations``)
and asks whether this customer may have it; ``delivery`` sends it the cheapest way that works: what the bot holds
already, by reference, or what ``fetch`` brings, streamed by ``streaming`` between ``datacentres``. ``media`` knows what
kinds there are, ``progress`` what the customer sees meanwhile, ``delivery_notifier`` says how it ended.
"""
