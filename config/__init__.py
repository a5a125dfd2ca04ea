"""What the operator sets: the environment, the plans, the words, the log.

Lives here: reading and refusing settings (`settings`, `session_string`), the plans file (`plans`), currencies
(`money`), the customers' texts (`texts`, `locales/`), the log (`logging`), how every program begins (`program`)
and which version it is (`version`).
Imports nothing of `models`, `daemon` or `web`.
"""
