"""Arbitrary well-typed junk: every entry point rejects it with a reason, or accepts it lawfully; nothing else happens.

Half of the junk is drawn from the types alone, half is something genuine with a few parts spoiled and, now and then,
signed again by those who may sign. The states are those of an eventful run (tests/worlds.py).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import strategies
import worlds
from attrs import evolve
from hypothesis import given, seed
from hypothesis import strategies as st
from support import ALL_KEYS, examples
