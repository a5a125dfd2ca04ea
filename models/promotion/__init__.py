"""What brings customers and keeps them, and what people complain about. Knows money and jobs.

``codes``, ``referrals`` and ``complaints`` are what their names say, ``identity`` is what outlives an erasure.
``broadcasts`` are news that an admin writes, from the draft to the report; ``recipients`` who gets one, each once;
``segments`` to whom it goes, ``buttons`` what stands under it, ``consent`` who may get any, ``hours`` when, as pure
decisions.
"""
