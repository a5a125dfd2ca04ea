"""PayPal: selling through it, and learning what became of each sale.

``shop`` is what a program needs to sell. ``checkout`` sells one period and ``renewals`` what renews, both through
``client``. ``parsing`` translates PayPal's answers, ``refusals`` its refusals.

News of money arrives by ``events`` (what a webhook points to; ``signature`` and ``certificates`` tell whether to
believe it), ``operations`` (refunds and cancellations that were asked for), ``disputes`` and ``reconciliation``.
``registration`` keeps the webhook registered, ``monitor`` notices when PayPal or its webhooks fail, ``branding`` names
the bot. Imports nothing of ``web`` outside this folder.
"""
