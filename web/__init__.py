"""The web program and upkeep: PayPal, the pages that customers see, health.

``__main__.py`` serves the application of ``app.py``; ``health.py`` and ``metrics.py`` tell how all programs are;
``upkeep.py`` does what calls PayPal without a browser waiting. Money comes through ``shop.py``: ``checkout.py`` and
``renewals.py`` sell by the client in ``paypal.py``, ``reading.py`` translates PayPal's answers and ``refusals.py`` its
refusals; ``webhook.py``, ``errands.py``, ``disputes.py`` and ``reconciliation.py`` are the ways by which news of money
arrives. ``pages.py`` shows what ``words.py`` says. May import ``config`` and ``models``; never ``daemon``.
"""
