"""The daemon: everything that speaks to Telegram.

``service`` starts and stops it; ``connections`` keeps the two clients of ``telegram`` connected. ``dispatcher`` takes
updates, ``handlers`` answers them with ``screens``, ``transfer`` delivers, ``stars`` takes payments in Stars, and
``outbox_worker`` tells people what happened, through ``notifier``. ``supervision`` starts and watches all programs.
May import ``config`` and ``models``; never ``web``.
"""
