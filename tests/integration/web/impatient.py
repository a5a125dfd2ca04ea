"""``python -m tests.integration.web.impatient``: the web program, which waits two seconds for anybody."""

import web.edge.worker
import web.pages

PATIENCE_S = 2.0

if __name__ == "__main__":
    web.edge.worker.PATIENCE_S = web.pages.PATIENCE_S = PATIENCE_S
    import web.__main__

    web.__main__.main()
