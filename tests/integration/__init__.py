"""The real programs on real sockets and a real SQLite file."""
