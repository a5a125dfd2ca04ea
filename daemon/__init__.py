"""The daemon: everything that speaks to Telegram.

``service`` starts and stops it; ``connections`` keeps the two clients of ``telegram`` connected. ``dispatcher`` takes
updates, ``handlers`` answers them with ``screens``, ``transfer`` delivers, ``stars`` takes payments in Stars, and
``outbox_worker`` tells people what happened, through ``notifier``. Handlers get a ``context`` with ``deps``;
``commands`` is the list that Telegram shows, ``limiter`` bounds what one customer says, ``chats`` what an admin allows
or blocks, ``exporting`` makes a customer's data a file, ``broadcasting`` sends news to many. ``database`` is the event
loop's way to the database and ``wakeup`` tells of commits; ``disk_monitor`` and ``canary`` watch, ``tasks`` holds what
runs beside, ``doctor`` and ``live_check`` examine. ``supervision`` starts and watches all programs. May import
``config`` and ``models``; never ``web``.
"""
