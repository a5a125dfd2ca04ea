"""Transfers: from a link to a delivered file.

``worker.py`` claims jobs; ``source.py`` finds the post and asks whether this customer may have it; ``delivery.py``
sends it the cheapest way that works: what the bot holds already (``cache.py``), by reference, or streamed by
``pipe.py`` over ``lane.py`` and ``sessions.py``. ``media.py`` knows what kinds of media there are, ``adaptive.py`` how
many calls may be under way, ``progress.py`` what the customer sees meanwhile.
"""
