"""The web program and upkeep: PayPal, the pages that customers see, health.

``__main__.py`` serves the application of ``app.py``; ``checkout.py``, ``renewals.py`` and ``webhook.py`` take PayPal's
money through the client in ``paypal.py``; ``health.py`` tells how all programs are; ``upkeep.py`` does what calls
PayPal without a browser waiting. May import ``config`` and ``models``; never ``daemon``.
"""
