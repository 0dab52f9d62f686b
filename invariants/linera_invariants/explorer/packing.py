"""Global states as rows of 64-bit words: one field per local state, Byzantine voter and shared thing.

A batch of states is a list of columns, one ``uint64`` array per word. The layout follows from the numbers of values of
the fields, whatever the model; a field never straddles two words.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .bounds import TooWide

Words: TypeAlias = NDArray[np.uint64]
Batch: TypeAlias = list[Words]
Numbers: TypeAlias = NDArray[np.int64]

WORD = 64


@frozen
class Field:
    """Some bits of one word."""

    word: int
    shift: int
    width: int

    @property
    def mask(self) -> int:
        """The largest value."""
        return (1 << self.width) - 1

    def get(self, batch: Batch) -> Numbers:
        """Return the values of the field."""
        return ((batch[self.word] >> np.uint64(self.shift)) & np.uint64(self.mask)).astype(np.int64)

    def put(self, batch: Batch, values: Any) -> Batch:
        """Return the states with other values of the field."""
        kept = batch[self.word] & np.uint64(~(self.mask << self.shift) & (1 << WORD) - 1)
        changed = kept | (np.asarray(values).astype(np.uint64) << np.uint64(self.shift))
        return [changed if word == self.word else column for word, column in enumerate(batch)]


def layout(counts: Iterable[int], size: int = WORD) -> tuple[list[Field], int]:
    """Return a field for each number of values, and how many words of ``size`` bits they take. Raises: TooWide."""
    fields: list[Field] = []
    word = used = 0
    for count in counts:
        width = max(1, (count - 1).bit_length())
        if width > size:
            raise TooWide(f"a part of a state takes {width} bits, and a word has {size}")
        if used + width > size:
            word, used = word + 1, 0
        fields.append(Field(word, used, width))
        used += width
    return fields, word + 1


def take(batch: Batch, rows: Any) -> Batch:
    """Return some of the states."""
    return [column[rows] for column in batch]


def joined(batches: Sequence[Batch], words: int) -> Batch:
    """Put batches together."""
    if len(batches) == 1:
        return batches[0]
    empty: Words = np.empty(0, np.uint64)
    return [np.concatenate([empty, *(batch[word] for batch in batches)]) for word in range(words)]


def in_order(batch: Batch) -> Batch:
    """Sort states; the batch may be used up."""
    if len(batch) == 1:
        batch[0].sort()
        return batch
    return take(batch, np.lexsort(batch[::-1]))


def sorted_unique(batch: Batch) -> Batch:
    """Sort states and drop repetitions; the batch may be used up."""
    batch = in_order(batch)
    return take(batch, _first(*batch)) if len(batch[0]) else batch


def _first(*columns: Words) -> NDArray[np.bool_]:
    keep = np.zeros(len(columns[0]), bool)
    keep[0] = True
    for column in columns:
        keep[1:] |= column[1:] != column[:-1]
    return keep


def without(batch: Batch, known: Batch) -> Batch:
    """Drop from sorted states those that are among other sorted states."""
    if not len(known[0]) or not len(batch[0]):
        return batch
    if len(batch) == 1:
        places = np.searchsorted(known[0], batch[0])
        places[places == len(known[0])] = 0
        return take(batch, known[0][places] != batch[0])
    both = [np.concatenate((old, new)) for old, new in zip(known, batch, strict=True)]
    order = np.lexsort(both[::-1])  # stable: a known state stands before its repetition
    ordered = take(both, order)
    fresh = _first(*ordered) & (order >= len(known[0]))
    return take(ordered, fresh)
