"""Configuration of the documentation site."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

import linera_reference

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "linera-reference"
author = "the linera-reference authors"
copyright = author  # noqa: A001  (Sphinx's name)
release = version = linera_reference.__version__

extensions = [
    "myst_parser",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "specpages",
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
html_math_renderer = "mathml"

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
viewcode_follow_imported_members = False  # else constants are looked for in the modules of their types
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"linera-reference {release}"
html_static_path = ["_static"]
html_extra_path = ["_generated/viewer"]  # pages of traces, written before Sphinx looks for them
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

_SIZED = re.compile(r"~?[\w.]*Annotated\[(int|bytes), ~?[\w.]*(?:Bits|Size)\(\w+=(\d+)\)\]")


def _short_types(app, what, name, obj, options, signature, returns):  # noqa: ARG001
    """Show the notation's integers and byte strings as u64 and bytes32."""

    def short(text: str | None) -> str | None:
        return text and _SIZED.sub(lambda sized: {"int": "u"}.get(sized[1], sized[1]) + sized[2], text)

    return short(signature), short(returns)


_CODE = re.compile(r"(?<![`:\w])`([^`\n]+)`(?![`_])")


def _plain_code(app, what, name, obj, options, lines):  # noqa: ARG001
    """Read `text` in docstrings as code, as in Markdown."""
    lines[:] = [_CODE.sub(r"``\1``", line) for line in lines]


def _no_terms(app, what, name, obj, skip, options):  # noqa: ARG001
    """Leave out the symbols of the proofs: they can be called and have no signature."""
    return True if type(obj).__module__.startswith("z3") else None


def setup(app: Sphinx) -> None:
    """Connect the hooks above."""
    app.connect("autodoc-skip-member", _no_terms)
    app.connect("autodoc-process-signature", _short_types)
    app.connect("autodoc-process-docstring", _plain_code, priority=400)  # before napoleon
