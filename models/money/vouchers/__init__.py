"""What codes do to money: what one gives (``contents``), what gifts are paid with, whether an order may be paid.

It may import ``models.money``'s modules below orders and the ledger, which use it.
"""
