"""What an installation keeps of its settings under ``DB_PATH``: ``settings_file`` (what was typed during set-up) and
``secret_key`` (made at the first start). Both are written by ``draft``.
"""
