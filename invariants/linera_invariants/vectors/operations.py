"""The operations that vectors call: shipped functions by name, and thin wrappers where an argument is a function.

:func:`perform` is all that a harness needs: from the name of an operation and the forms of its arguments to an answer.
"""

from collections.abc import Callable
from inspect import unwrap
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from attrs import frozen

from linera_reference.chain import Chain
from linera_reference.rejections import Accepted, Rejected, Rejection

from .forms import Form, digest_of, form_of, plain, value_of
from .snapshot import digest_of_chain, output_form

Answer: TypeAlias = dict[str, Form]
"""{"accepted": form}, or {"rejected": reason, "detail": form} and of a transition the digest of the same "state"."""


@frozen
class Operation:
    """A function under a public name. ``state`` is the parameter that a transition replaces, if it is one.

    The result of an operation of ``steps`` is a list of answers, one per step; it is the last that a vector is about.
    """

    name: str
    function: Callable[..., Any]
    parameters: dict[str, Any]
    result: Any
    state: str | None = None
    steps: bool = False


def operation(function: Callable[..., Any], name: str = "", state: str | None = None, steps: bool = False) -> Operation:
    """Describe a function by its annotations."""
    hints = get_type_hints(unwrap(function), include_extras=True)
    result = hints.pop("return")
    hints.pop("self", None)
    return Operation(name or function.__name__, function, hints, result, state, steps)


def perform(called: Operation, arguments: dict[str, Form]) -> Answer:
    """Call an operation. Raises: FormError (a form that stands for no value), or whatever a broken variant raises."""
    values = {name: value_of(kind, arguments[name], (name,)) for name, kind in called.parameters.items()}
    try:
        result = called.function(**values)
    except Rejection as rejection:
        result = Rejected(rejection.reason, rejection.detail)
    if isinstance(result, Rejected):
        unchanged = {} if called.state is None else {"state": state_digest(called, values[called.state])}
        return {"rejected": result.reason.name, "detail": plain(result.detail), **unchanged}
    return {"accepted": result_form(called.result, result)}


def state_digest(called: Operation, state: Any) -> str:
    """Return the digest of the state that a transition was given."""
    kind = called.parameters[called.state or ""]
    return digest_of_chain(state) if kind is Chain else digest_of(form_of(kind, state))


def result_form(kind: Any, value: Any) -> Form:
    """Return the form of a result: of a chain its digest, of an acceptance the new state and the outputs."""
    if kind is Chain:
        return digest_of_chain(value)
    if get_origin(kind) is Accepted:
        (state,) = get_args(kind)
        return {"state": result_form(state, value.state), "outputs": [output_form(x) for x in value.outputs]}
    return form_of(kind, value)
