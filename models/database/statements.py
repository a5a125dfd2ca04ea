"""How the text of a statement is made, which takes Peewee longer than SQLite needs to run most of them."""

from functools import cache
from typing import Any

import peewee


class Statement(peewee.Context):
    """Writes a column of a table in one step, as Peewee would in a dozen. All else is left to Peewee."""

    __slots__ = ()

    def sql(self, obj: Any) -> Any:
        """Write *obj*: a part of a statement, or a value."""
        if getattr(type(obj), "__sql__", None) is not peewee.Field.__sql__:  # no field, or one of its own ways
            return super().sql(obj)  # type: ignore[no-untyped-call]
        if self.scope == peewee.SCOPE_VALUES:  # of the one table that is written to
            return self.literal(_quoted(obj.column_name))
        return self.literal(f"{_quoted(self.alias_manager[obj.model._meta.table])}.{_quoted(obj.column_name)}")


@cache
def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
