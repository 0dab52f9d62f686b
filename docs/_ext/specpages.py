"""Write the pages that are not written by hand: specification, API, and tables computed from the code."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import tracepages
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.typing import ExtensionMetadata

from linera_invariants import docgen
from linera_invariants.clauses import load_spec
from linera_invariants.specdata import spec_root
from linera_reference.rejections import Reason

_PACKAGES = ("linera_reference", "linera_invariants")
_API_PAGE = """---
orphan: true
---

# {0}

[All modules](../api.md)

```{{eval-rst}}
.. automodule:: {0}
   :ignore-module-all:
```
"""

_SPEC_ID = r"(?:WP-[0-9A-Z]+\.[0-9]+-[A-Z0-9-]*[A-Z0-9]|[DA][0-9]{1,2})"
_ID = rf"(?:{_SPEC_ID}|[SLRC][0-9]{{1,2}}|[A-Z]+(?:_[A-Z]+)+|ARITHMETIC)"
_HEADING = re.compile(rf"^## ({_SPEC_ID}): ", re.MULTILINE)
_MENTION = re.compile(
    rf"""
    (?<![\w.-])(?P<id>`{_ID}`|{_ID})(?![\w-])  # an ID; all that follows stays as it is:
    | ^(?P<fence>```+).*?^(?P=fence)            # fenced block
    | ^\#[^\n]*                                # heading
    | ^\([^)\n]*\)=                            # link target
    | \$\$.*?\$\$ | \$[^$\n]+\$               # mathematics
    | `[^`\n]+`                                # code
    | \[[^\]\n]*\]\([^)\n]*\)                 # link
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def _sources(spec: Path) -> Iterator[Path]:
    """Yield the Markdown files of the specification."""
    yield from sorted(spec.glob("chapters/*.md"))
    yield from sorted(spec.glob("algorithms/*.md"))
    yield spec / "decisions.md"


def _with_targets(text: str) -> str:
    """Put a link target before each heading that starts with an ID and has none yet."""
    return _HEADING.sub(lambda found: f"{_target(text, found)}{found[0]}", text)


def _target(text: str, heading: re.Match[str]) -> str:
    target = f"({heading[1]})=\n"
    return "" if text[: heading.start()].endswith(target) else target


def _with_links(text: str, known: set[str]) -> str:
    """Turn each mention of a known clause, decision, statement or reason into a link."""

    def linked(found: re.Match[str]) -> str:
        mention = found["id"]
        name = mention.strip("`") if mention else None
        return f"[{mention}](#{name})" if name in known else found[0]

    return _MENTION.sub(linked, text)


def _write(path: Path, text: str) -> None:
    """Write a page only when it changed, so that Sphinx reads again only what it must."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _specification_pages(spec: Path) -> dict[str, str]:
    texts = {path.relative_to(spec).as_posix(): path.read_text(encoding="utf-8") for path in _sources(spec)}
    headings = {name for text in texts.values() for name in _HEADING.findall(text)}
    known = headings | load_spec().statements.keys() | {reason.name for reason in Reason}
    return {name: _with_links(_with_targets(text), known) for name, text in texts.items()}


def _modules(package: str) -> list[str]:
    found = pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
    return [module.name for module in found if "._" not in module.name]


def _api_pages() -> dict[str, str]:
    """Return a page per module, and one that lists them; a navigation tree of them all would make every page heavy."""
    modules = {package: _modules(package) for package in _PACKAGES}
    index = "\n".join(["# API\n", *(_module_table(package, names) for package, names in modules.items())])
    pages = {f"api/{name}.md": _API_PAGE.format(name) for names in modules.values() for name in names}
    return {"api.md": index} | pages


def _module_table(package: str, modules: list[str]) -> str:
    rows = (
        f"| [{name.removeprefix(package + '.')}](api/{name}.md) | {_summary(import_module(name))} |" for name in modules
    )
    return "\n".join([f"## {package}\n", _summary(import_module(package)), "", "| module | |", "|---|---|", *rows, ""])


def _summary(module: ModuleType) -> str:
    """Return the first paragraph of a docstring as it reads in Markdown."""
    paragraph = " ".join((module.__doc__ or "").partition("\n\n")[0].split())
    return re.sub(r"(?::\w+:)?(`+)", r"\1", paragraph)


def generate(app: Sphinx, _config: Config) -> None:
    """Fill `_generated/` and remove the pages whose source is gone."""
    outdir = Path(app.srcdir, "_generated")
    pages = _specification_pages(spec_root()) | _api_pages() | tracepages.pages()
    for name, text in pages.items():
        _write(outdir / name, text)
    expected = {outdir / name for name in pages} | set(docgen.generate(outdir))
    for stale in set(outdir.rglob("*.md")) - expected:
        stale.unlink()


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("config-inited", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
