"""A harness for chain_names.py: it needs nothing but Python."""

import json
import sys

import chain_names


def number(form):
    return int(form)


def name(form):
    return [int(item) for item in form]


def form(value):
    """Turn a result into JSON without numbers."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return value


OPERATIONS = {
    "is_identifier": (chain_names.is_name, {"chain_id": name}),
    "child": (chain_names.child_of, {"parent_id": name, "index": number}),
    "parent": (chain_names.parent_of, {"chain_id": name}),
    "is_ancestor": (chain_names.is_above, {"ancestor": name, "chain_id": name}),
}


def run(operation, arguments):
    if operation not in OPERATIONS:
        return {"skipped": f"{operation} is not implemented"}
    function, readers = OPERATIONS[operation]
    try:
        return {"accepted": form(function(*(read(arguments[key]) for key, read in readers.items())))}
    except chain_names.BadName as error:
        return {"rejected": str(error)}


def answer(request):
    match request["cmd"]:
        case "start":
            about = {"name": "chain-names", "version": "0.1", "language": "Python"}
            return {"protocol": 1, "implementation": about}
        case "capabilities":
            return {"operations": list(OPERATIONS), "details": False}
        case "run":
            return run(request["operation"], request["arguments"])
        case "stop":
            return {"stopped": True}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps({"seq": request["seq"], **answer(request)}) + "\n")
        sys.stdout.flush()
        if request["cmd"] == "stop":
            return


if __name__ == "__main__":
    main()
