"""What can go wrong, without a word of HTTP."""


class NotesError(Exception):
    """Base of our own errors."""


class NotFound(NotesError):
    """Something is not there, or not for this user."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Conflict(NotesError):
    """Somebody was faster."""


class BadCredentials(NotesError):
    """Wrong e-mail or password, or an invalid token: which one is not said."""


class TooLarge(NotesError):
    """More bytes than are allowed."""
