"""Render mathematics as MathML while the site is built: no script and no network in the browser."""

import re
from html import escape

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

_LOGGER = logging.getLogger(__name__)
# Sphinx numbers equations itself.
_NUMBERED = re.compile(r"(\\(?:begin|end)\{(?:align|equation|gather|multline))\}")
_CONVERTER = LatexToMathML(fancy_error=False, allow_unreliable_rendering=True)


def to_mathml(tex: str, node: nodes.Element, *, display: bool) -> str:
    """Return the MathML of `tex`; what cannot be rendered is a warning, hence an error in a strict build."""
    tex = _NUMBERED.sub(r"\1*}", tex)
    if display and r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    try:
        return _CONVERTER.convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        _LOGGER.warning("mathematics not rendered: %s in %r", error, tex, location=node, type="mathml")
        return f"<code>{escape(tex)}</code>"


def _visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(to_mathml(node.astext(), node, display=False))
    raise nodes.SkipNode


def _visit_displaymath(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(to_mathml(node.astext().strip(), node, display=True))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_displaymath, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
