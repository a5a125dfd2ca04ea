"""Money and the access it buys. It may import ``models``' own modules, never ``models.jobs`` or ``models.maintenance``.

``providers`` tells what each provider is like and ``seller`` what a page needs of one. ``orders`` holds what customers
want to buy, ``facts`` what a provider reports, ``ledger`` turns reports into rows, ``payments`` has the operations and
queries, ``subscriptions`` what renews. ``access`` computes what a customer may use and ``reminders`` announces its end.
``credits`` counts the deliveries that packs hold, ``fold`` is the rule of access, and ``income`` is what came in.
``provider_requests`` is the remote work, ``webhooks`` the notifications, ``stars_cursor`` how far the Stars
transactions are read, ``metric_queries`` the numbers for monitoring. ``vouchers/`` is what codes do to money, and
``rewards/`` what it earns to bring customers.
"""
