"""The third program, ``python -m web.upkeep``: what must happen while nobody waits for it.

``runner`` holds the list of periodic tasks and takes their turns, ``periodic_tasks`` says what a task is.
``plans_file`` watches the plans file. ``backup_job`` makes backups and ``s3`` copies them, ``ping`` tells an outside
monitor that all is well, ``heartbeat`` is a program's sign of life.
"""
