"""``python -m daemon.supervision``: the launcher, and then what it becomes."""

import os
import signal

# Process 1 ignores a signal without a handler, and the imports below take a while.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

from config import program  # noqa: E402 - after the handler

if __name__ == "__main__":
    if (prepared := program.prepared()) is not None:
        from daemon.supervision import supervisor

        supervisor.main(*prepared)
    else:
        from daemon.supervision import launcher

        launcher.main()
