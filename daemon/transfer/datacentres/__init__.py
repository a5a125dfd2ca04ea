"""Telegram's data centres: how parts of files are requested and saved.

``pool`` makes the calls of one client to one data centre, over open ``sessions`` on a ``transport`` with a ``cipher``;
``congestion`` learns how many calls may be under way.
"""
