"""What the operator sets: the environment, the plans, the words, the log.

Lives here: reading and refusing settings (`settings`, `session_string`), the plans file (`plans`), currencies
(`money`), the customers' texts (`texts`, `locales/`), the log (`logging`) and how every program begins (`program`).
Imports nothing of `models`, `daemon` or `web`.
"""
