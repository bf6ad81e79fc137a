"""The one error and the one warning that numjaz raises on purpose."""


class NumjazError(Exception):
    """What is wrong, where, and what to do, in one line.

    The command line prints it on standard error and exits with 2. Names that come from a file may
    hold anything: what is not printable becomes ``?``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class NumjazWarning(UserWarning):
    """Something was assumed or converted; the text says what, in one line.

    The command line prints it as a line that begins with ``note:``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """A text of a file or a path without what would break a line or steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
