"""Pure decisions: no socket, no process, no database."""
