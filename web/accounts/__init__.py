"""Logging an account in, as parts of pages: the set-up and the console put them into pages of their own.

``steps`` takes what was typed and says what to show next; the HTML is in ``templates/accounts/``.
"""
