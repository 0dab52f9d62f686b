"""Names of chains, as somebody might write them who only has the specification (section 2.4)."""

LONGEST = 16
BEYOND = 2**64


class BadName(Exception):
    """A name that cannot be; the message is our own error name."""


def is_name(name):
    return 1 <= len(name) <= LONGEST and all(0 <= number < BEYOND for number in name)


def child_of(name, index):
    if len(name) >= LONGEST:
        raise BadName("too_deep")
    if not 0 <= index < BEYOND:
        raise BadName("bad_number")
    return [*name, index]


def parent_of(name):
    return name[:-1] or None


def is_above(one, other):
    return len(one) < len(other) and other[: len(one)] == one
