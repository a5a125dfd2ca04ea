"""The daemon: everything that speaks to Telegram.

``service.py`` starts and stops it, ``clients.py`` keeps the two connections, ``intake.py`` takes what customers send
and ``handlers/`` answers it, ``transfer/`` delivers, ``stars.py`` takes Stars, ``announcer.py`` tells what happened.
May import ``config`` and ``models``; never ``web``.
"""
