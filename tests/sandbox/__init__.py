"""Local Telegram and PayPal servers, for tests and the demo: ``python -m tests.sandbox --state DIR``.

Imports none of config, models, daemon and web: the programs must meet it on the wire only.
"""
