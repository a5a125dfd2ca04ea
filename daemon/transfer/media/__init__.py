"""Media as values: ``items`` are what a post carries, ``captions`` what stands under it, ``stored_files`` what the bot
can send again."""
