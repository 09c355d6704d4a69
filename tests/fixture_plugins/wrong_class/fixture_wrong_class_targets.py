"""What the entries of the plugin name."""


class NotASolver:
    """A class that is no Solver."""


def not_a_class():
    """Be no class at all."""


def claim():
    """Fail to measure anything."""
    raise ZeroDivisionError("nothing to divide by")
