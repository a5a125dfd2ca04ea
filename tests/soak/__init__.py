"""The whole installation under load, while things go wrong: ``python -m tests.soak``.

| question | file |
|---|---|
| How is it called, what does it print? | ``__main__.py`` |
| Who asks for what? | ``town.py`` |
| What goes wrong? | ``trouble.py`` |
| Who pays? | ``shoppers.py`` |
| What do the processes use? | ``instruments.py`` |
| What must be true at the end? | ``books.py`` |
| The soak, the kills | ``marathon.py``, ``kills.py`` |
"""
