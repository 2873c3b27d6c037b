"""The drawing of which package imports which, in CONTRIBUTING.md: `make drawing` brings it up to date."""

from __future__ import annotations

import re
from pathlib import Path

import grimp

ROOT = "exaid_evals"
PAGE = Path(__file__).resolve().parents[3] / "CONTRIBUTING.md"
_BLOCK = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)


def package_imports() -> set[tuple[str, str]]:
    """Return `(importer, imported)` for the packages below `exaid_evals`."""
    graph = grimp.build_graph(ROOT, cache_dir=None)
    edges = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            one, other = _package(module), _package(imported)
            if one and other and one != other:
                edges.add((one, other))
    return edges


def needed(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that no longer way implies: what a reader needs to see the order.

    >>> sorted(needed({("a", "b"), ("b", "c"), ("a", "c")}))
    [('a', 'b'), ('b', 'c')]
    """
    below: dict[str, set[str]] = {}

    def reached(package: str) -> set[str]:
        if package not in below:
            direct = {other for one, other in edges if one == package}
            below[package] = direct.union(*(reached(other) for other in direct))
        return below[package]

    return {
        (one, other)
        for one, other in edges
        if not any(other in reached(between) for source, between in edges if source == one and between != other)
    }


def drawing() -> str:
    """Return the drawing as a Mermaid block: an arrow from each package to those that it imports."""
    arrows = "".join(f"  {one} --> {other}\n" for one, other in sorted(needed(package_imports())))
    return f"```mermaid\nflowchart TD\n{arrows}```\n"


def with_drawing(text: str, block: str) -> str:
    """Return the page with its drawing replaced."""
    return _BLOCK.sub(lambda _: block, text, count=1)


def _package(module: str) -> str:
    parts = module.split(".")
    # What every package may import would hide the rest.
    return parts[1] if len(parts) > 1 and parts[1] not in ("errors", "__main__", "__init__") else ""


if __name__ == "__main__":
    PAGE.write_text(with_drawing(PAGE.read_text("utf-8"), drawing()), "utf-8")
