"""What the operator sets: the environment, the plans, the words, the log.

Lives here: reading and refusing settings (`settings`), the plans file (`plans`), the catalogues of customer texts (`texts`, `locales/`),
the log format (`logging`), and how every program begins (`program`). Imports nothing of `models`, `daemon` or `web`.
"""
