"""The plans that hold are a version of the text of the plans file."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Make the table of the versions, empty: the start that follows looks at the file."""

    class CatalogueVersion(peewee.Model):
        text = peewee.TextField()
        author = peewee.TextField()
        digest = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            database = db
            table_name = "catalogue_version"

    db.create_tables([CatalogueVersion])
