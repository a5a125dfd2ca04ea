"""A person's data as a file: ``exports`` collects and sends it, ``document`` is the file while it grows."""
