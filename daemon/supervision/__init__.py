"""What starts the programs and watches over them: ``python -m daemon.supervision``.

``launcher`` checks, prepares and then is supervisord; ``watchdog`` is supervisord's event listener; ``programs`` lets
others (a restore) have the programs stand still.
"""
