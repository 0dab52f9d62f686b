"""Write the pages that are not written by hand: specification, API, and tables computed from the code."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.typing import ExtensionMetadata

from linera_invariants.specdata import spec_root

_PACKAGES = ("linera_reference", "linera_invariants")
# Pages that `linera_invariants.docgen.generate(outdir)` writes.
_COMPUTED = {"symbols": "Symbols", "matrix": "Matrix", "reasons": "Reasons", "statements": "Statements"}

_ID = r"(?:WP-[0-9A-Z]+\.[0-9]+-[A-Z0-9-]*[A-Z0-9]|[DA][0-9]{1,2})"
_HEADING = re.compile(rf"^## ({_ID}): ", re.MULTILINE)
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
    """Turn each mention of a known clause or decision into a link."""

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
    known = {name for text in texts.values() for name in _HEADING.findall(text)}
    return {name: _with_links(_with_targets(text), known) for name, text in texts.items()}


def _api_pages() -> dict[str, str]:
    modules = [
        f"{package}.{module.name}"
        for package in _PACKAGES
        for module in pkgutil.iter_modules(import_module(package).__path__)
        if not module.name.startswith("_")
    ]
    return {
        f"api/{name}.md": f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n" for name in modules
    }


def _computed_pages(outdir: Path) -> set[str]:
    if find_spec("linera_invariants.docgen"):
        import_module("linera_invariants.docgen").generate(outdir)
    for name, title in _COMPUTED.items():
        if not (outdir / f"{name}.md").exists():
            _write(outdir / f"{name}.md", f"# {title}\n\nThis build did not compute this page.\n")
    return {f"{name}.md" for name in _COMPUTED}


def generate(app: Sphinx, _config: Config) -> None:
    """Fill `_generated/` and remove the pages whose source is gone."""
    outdir = Path(app.srcdir, "_generated")
    pages = _specification_pages(spec_root()) | _api_pages()
    for name, text in pages.items():
        _write(outdir / name, text)
    expected = {outdir / name for name in pages.keys() | _computed_pages(outdir)}
    for stale in set(outdir.rglob("*.md")) - expected:
        stale.unlink()


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("config-inited", generate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
