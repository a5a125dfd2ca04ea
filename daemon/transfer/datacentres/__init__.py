"""Telegram's data centres: how bytes are asked for and handed over.

``pool`` is everything between one client and one data centre: warm ``sessions`` over ``transport``, with ``cipher``,
and ``congestion`` to learn how many calls may be under way.
"""
