"""The operator's console at ``/console/``: the same pages in Telegram (Mini App) and in any browser.

``guard`` lets a request in: session, role, form token, fresh log-in; a page declares the act that it shows or does.
``layout`` puts a page together. ``entry`` is the way in, ``plans_text`` edits the text of the plans. Every other module
is one section with a blueprint of its own, which ``sections`` lists. What a page does goes through :mod:`models.acts`.
"""
