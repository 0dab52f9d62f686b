"""What a user can get wrong: the command line shows the message and exits with code 2."""


class UsageError(Exception):
    """The input or the usage is wrong; the message names the place and what was expected."""
