"""Traces: one run of the network as a document, told as a story, drawn as a picture, and shown on a page."""

from .build import FORMAT, Document, broken_rule, trace_of
from .files import read_trace, write_trace
from .page import page_of
from .svg import svg_of
from .text import story_of, subtitle

__all__ = [
    "FORMAT",
    "Document",
    "broken_rule",
    "page_of",
    "read_trace",
    "story_of",
    "subtitle",
    "svg_of",
    "trace_of",
    "write_trace",
]
