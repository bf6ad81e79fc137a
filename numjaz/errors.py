"""The one error and the one warning that numjaz raises on purpose."""


class NumjazError(Exception):
    """What is wrong, where, and what to do, in one line.

    The command line prints it on standard error and exits with 2. Names that come from a file may
    hold anything: what would break the line or steer a terminal becomes ``?``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_one_line(message))


class NumjazWarning(UserWarning):
    """Something was assumed or converted; the text says what, in one line.

    The command line prints it as a line that begins with ``note:``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_one_line(message))


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
