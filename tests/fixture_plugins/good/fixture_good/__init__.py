"""A plugin with nothing wrong: this module is imported only when a solver is used."""
