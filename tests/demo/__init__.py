"""``make demo``: the whole system on this machine, and a customer who uses it. No credentials, no network."""
