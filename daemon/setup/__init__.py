"""The daemon while the shop is being set up: ``python -m daemon.setup``.

Lives here: its life (``service``), whether Telegram accepts what was typed (``checks``), the bot that hears who becomes
the admin (``bot``). Imports what any part of the daemon may, and is imported by none.
"""
