"""What function.explain gives."""


class Explanation(str):
    """A text that is printed as it is where Python shows what an expression gave."""

    __slots__ = ()

    def __repr__(self):
        return str(self)
