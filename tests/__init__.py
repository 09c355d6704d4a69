"""The tests; a package, so that nobody else's of this name is taken for it."""
