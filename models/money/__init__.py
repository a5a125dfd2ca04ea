"""Money and the access it buys. May import ``models``' own modules, never ``models.jobs`` or ``models.maintenance``.

``orders`` are what somebody set out to buy, ``facts`` what a provider says, ``ledger`` how that becomes rows,
``payments`` the operations and questions, ``subscriptions`` what renews, ``access`` what follows from all of it for a
customer, ``reminders`` its end, ``provider_requests`` and ``webhooks`` remote work and hints, ``stars_cursor`` how far
the list of Stars transactions has been read, ``metric_queries`` what monitors draw.
"""
