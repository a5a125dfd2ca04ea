"""The care of the database: backups, restoring, retention, erasure, health, repair.

``backups`` makes copies, ``encryption`` encrypts them, ``integrity`` examines them, ``restoring`` puts one in place.
``retention`` deletes old rows, ``refusals`` counts refused links, ``privacy`` erases a customer's rows,
``personal_data`` shows them. ``health`` keeps heartbeats and incidents, ``clock_repair`` corrects times that a wrong
clock wrote, ``legacy_import`` imports the database of this bot's predecessor, ``doctor`` reports faults.
"""
