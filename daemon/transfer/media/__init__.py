"""Media as values: ``items`` are the files of a post, ``captions`` their texts, ``stored_files`` what the bot can send
again."""
