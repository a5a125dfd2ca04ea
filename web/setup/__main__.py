"""``python -m web.setup``: the web program while the shop is being set up."""

from web.__main__ import serve

if __name__ == "__main__":
    serve("web.setup.app")
