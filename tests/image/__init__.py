"""The container image: built, started as a platform would start it, and looked at from outside."""
