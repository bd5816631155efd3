"""A secret value: it can be used and cannot be printed by accident. It reads nothing."""


class Secret:
    """Hides what it holds from repr, str, logs and tracebacks; `reveal` gives it to whoever needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the one call that needs it, never for a variable that lives on."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
