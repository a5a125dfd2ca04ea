"""``python -m web.setup``: the web program while the shop is being set up."""

from web.__main__ import serve
from web.setup.app import create_app

if __name__ == "__main__":
    serve(create_app)
