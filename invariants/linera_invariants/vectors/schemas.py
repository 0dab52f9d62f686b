"""The JSON Schemas of vectors and of every operation, made from the same annotations as the forms."""

import json
from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin

from linera_reference.chain import Chain
from linera_reference.rejections import Accepted, Reason

from .build import FORMAT, SHARED
from .clients import NodeSnapshot
from .forms import fields_of, records_in, schema_of
from .model import AREAS, Vector
from .operations import Operation
from .runs import FORMAT as RUN_FORMAT
from .snapshot import Snapshot
from .table import ALL
from .types import TYPES

DIGEST: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
REASON: Final = {"enum": list(Reason.__members__)}
SENTENCE: Final = {"type": "string", "minLength": 1, "maxLength": 1000}


def schema_files() -> dict[str, bytes]:
    """Return the schemas by file name."""
    made = {
        "operations": operations_schema(),
        "vectors": vectors_schema(),
        "vectors-index": index_schema(),
        "vector-run": run_schema(),
    }
    return {f"{name}.schema.json": (json.dumps(schema, indent=1) + "\n").encode() for name, schema in made.items()}


def _document(name: str, title: str, comment: str, **rest: Any) -> dict[str, Any]:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:linera-reference:schema:{name}:1"}
    return {**head, "title": title, "$comment": comment, **rest}


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [key for key in properties if key not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


# --- Operations --------------------------------------------------------------------------------------------------


def operations_schema() -> dict[str, Any]:
    """Return the schema of every data type, and of the arguments and the answer of every operation."""
    kinds = [kind for called in ALL for kind in (*called.parameters.values(), called.result)]
    kinds += [*TYPES.values(), Snapshot, NodeSnapshot]
    parts = {f"{called.name}.{part}": schema for called in ALL for part, schema in _parts(called)}
    calls = [_call(called) for called in ALL]
    comment = "A call of an operation and its answer. Data types have the names of the specification."
    return _document(
        "operations",
        "Operations",
        comment,
        oneOf=calls,
        **{"$defs": records_in(kinds) | parts},
    )


def _call(called: Operation) -> dict[str, Any]:
    refer = {part: {"$ref": f"#/$defs/{called.name}.{part}"} for part in ("arguments", "answer")}
    return {"$comment": _says(called)} | _object({"operation": {"const": called.name}, **refer})


def _says(called: Operation) -> str:
    """Return what an operation does, and which argument it replaces."""
    says = (called.function.__doc__ or "").partition("\n\n")[0]
    replaced = f" The state is `{called.state}`." if called.state else ""
    return " ".join(says.replace("``", "`").split()) + replaced


def _parts(called: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    arguments = _object({name: schema_of(kind) for name, kind in called.parameters.items()})
    if {"type", "value"} <= set(called.parameters):
        arguments["properties"]["type"] = {"enum": list(TYPES)}
        arguments["allOf"] = [_value_of(name) for name in TYPES]
    yield "arguments", arguments
    unchanged = {} if called.state is None else {"state": DIGEST}
    rejected = _object({"rejected": REASON, "detail": {}, **unchanged})
    accepted = {"type": "array", "items": step_schema()} if called.steps else result_schema(called.result)
    yield "answer", {"oneOf": [_object({"accepted": accepted}), rejected]}


def _value_of(name: str) -> dict[str, Any]:
    """The value of a call is one of the data type that the call names."""
    return {
        "if": {"properties": {"type": {"const": name}}},
        "then": {"properties": {"value": {"$ref": f"#/$defs/{name}"}}},
    }


def step_schema() -> dict[str, Any]:
    """Return the schema of the answer to one step; ``sent`` is there for a whole network only."""
    counts = {"type": "array", "items": schema_of(int), "minItems": 5, "maxItems": 5}
    after = {"state": {"anyOf": [DIGEST, {"type": "null"}]}, "sent": counts}
    accepted = _object({"outputs": {"type": "array"}, **after}, "sent")
    rejected = _object({"rejected": REASON, "detail": {}, **after}, "sent")
    return {"oneOf": [_object({"accepted": accepted}), rejected]}


def result_schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a result: see :func:`.operations.result_form`."""
    if kind is Chain:
        return DIGEST
    if get_origin(kind) is Accepted:
        (state,) = get_args(kind)
        return _object({"state": result_schema(state), "outputs": {"type": "array", "items": {"type": "object"}}})
    return schema_of(kind)


# --- Files of vectors --------------------------------------------------------------------------------------------


def vectors_schema() -> dict[str, Any]:
    """Return the schema of the file of an area, before expansion."""
    properties = {
        **_head(),
        "area": {"enum": list(AREAS)},
        "about": SENTENCE,
        "flags": {"type": "object", "additionalProperties": _object({"bug": SENTENCE, "effect": SENTENCE})},
        "shared": {"type": "object", "additionalProperties": {"type": "object"}},
        "vectors": {"type": "array", "items": {"$ref": "#/$defs/Vector"}},
    }
    comment = f"The vectors of an area. A form {{'{SHARED}': NAME}} stands for the form of that name in shared."
    whole = _object(properties)
    return _document("vectors", "Vectors", comment, **whole, **{"$defs": {"Vector": _vector()}})


def _vector() -> dict[str, Any]:
    names = {"type": "array", "items": REASON, "uniqueItems": True}
    rejected = _object({"rejected": REASON, "detail": {}, "state": {}}, "state")
    answer = {"oneOf": [_object({"accepted": {}}), rejected, _object({SHARED: {"type": "string"}})]}
    special = {"expect": answer, "allowed": names, "faults": names, "sentence": SENTENCE}
    properties = {name: schema_of(kind) for name, kind in fields_of(Vector).items()} | special
    return _object(properties, "allowed", "faults", "flags")


def index_schema() -> dict[str, Any]:
    """Return the schema of the index."""
    count = {"type": "integer", "minimum": 0}
    row = _object({"area": {"enum": list(AREAS)}, "vectors": count, "bytes": count, "sha3": DIGEST})
    rows = {"type": "array", "items": row}
    whole = _object({**_head(), "areas": rows})
    return _document("vectors-index", "Index of vectors", "The files of vectors and their SHA3-256 digests.", **whole)


def run_schema() -> dict[str, Any]:
    """Return the schema of a recorded run, before expansion."""
    form, texts = {"type": "object"}, {"type": "array", "items": SENTENCE}
    pairs = {"type": "array", "items": {"type": "array", "items": SENTENCE, "minItems": 2, "maxItems": 2}}
    head = {"format": {"const": RUN_FORMAT}, "title": SENTENCE, "clauses": texts, "source": SENTENCE, "names": pairs}
    forms = {"network": form, "shared": {"type": "object", "additionalProperties": form}}
    whole = _object({**head, **forms, "actions": {"type": "array", "items": form}})
    comment = f"A run of the network. A form {{'{SHARED}': NAME}} stands for the form of that name in shared."
    return _document("vector-run", "Recorded run", comment, **whole)


def _head() -> dict[str, Any]:
    return {"format": {"const": FORMAT}, "version": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"}}
