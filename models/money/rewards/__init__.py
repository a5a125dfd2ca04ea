"""What it earns to have brought a customer: ``rules`` are pure, ``rows`` reads the ledger, ``news`` tells of it.

Nothing here knows access, which is folded from it.
"""
