"""The third program, ``python -m web.upkeep``: whatever must happen with nobody waiting.

``runner`` is the list of periodic tasks and their turns, ``periodic_tasks`` what a task is, ``backup_job`` and ``s3``
make and copy backups, ``ping`` tells an outside monitor, ``heartbeat`` is the program's sign of life.
"""
