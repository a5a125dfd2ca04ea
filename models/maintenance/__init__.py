"""What keeps the database well over the years: backups, restoring, retention, erasure, health, repair.

``backups`` makes copies, ``encryption`` seals them, ``integrity`` examines them, ``restoring`` puts one in place.
``retention`` forgets what is old and ``privacy`` what a customer wants forgotten. ``health`` keeps heartbeats and
incidents, ``clock_repair`` mends times that a wrong clock wrote, ``legacy_import`` reads the database of the bot that
this one grew from, ``doctor`` says what is wrong with the database.
"""
