"""The web program and upkeep: selling through PayPal, the pages that customers see, health, and the periodic work.

``__main__`` serves the application of ``app``. ``pages`` are what a buyer sees, in the words of ``messages``;
``webhook`` takes PayPal's events; ``health`` and ``metrics`` tell how all programs are (``processes`` counts them).
``headers`` and ``rate_limits`` stand before every page; ``worker`` hands over requests that have arrived whole, which
``arrival`` tells. ``doctor`` and ``live_check`` examine an installation from
outside.

``paypal/`` sells through PayPal, ``upkeep/`` is the third program. May import ``config`` and ``models``; never
``daemon``.
"""
