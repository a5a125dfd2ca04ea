"""Starts the programs and supervises them: ``python -m daemon.supervision``.

``launcher`` checks, prepares and then becomes ``supervisor``, which is supervisord; ``first_start`` says when that is
to run set-up; ``watchdog`` is supervisord's event listener; ``crashes`` tells both when to give up; ``programs`` stops
the programs while something else (a restore) runs.
"""
