"""Every remedy that the package has, read out of its source."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import exaid_evals

SOURCE = Path(exaid_evals.__file__).parent
_NAMED = re.compile("remedy|remedies|moved", re.IGNORECASE)
_VALUE = "{}"
Nodes = Sequence[ast.AST]


def template(node: ast.AST) -> str:
    """Return a text of the source with `{}` for each value that is put in; empty for what is not a text."""
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or _VALUE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = template(node.left), template(node.right)
        return "".join(side or _VALUE for side in sides) if any(sides) else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def pattern(text: str) -> re.Pattern[str]:
    """Return what matches a remedy of this template: whatever stands in place of its values."""
    return re.compile(".*".join(map(re.escape, text.split(_VALUE))), re.DOTALL)


@cache
def remedies() -> dict[str, tuple[str, ...]]:
    """Return the template of each remedy and its places, `file:line` from the package's folder."""
    found: dict[str, set[str]] = defaultdict(set)
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    nodes = {path: list(ast.walk(ast.parse(text))) for path, text in sources.items() if _NAMED.search(text)}
    defined = {_module(path): dict(_positions(of_file)) for path, of_file in nodes.items()}
    for path, of_file in nodes.items():
        values: dict[str, ast.AST] = {node.name: node for node in of_file if isinstance(node, ast.FunctionDef)}
        for node in of_file:
            if isinstance(node, ast.Assign):
                values |= {name.id: node.value for name in node.targets if isinstance(name, ast.Name)}
        for expression in _expressions(of_file, _known_in(of_file, _module(path), defined)):
            for one in _alternatives(expression, values):
                if (text := template(one)) and re.search("[a-z]{2}", text):
                    found[text].add(f"{path.relative_to(SOURCE)}:{one.lineno}")
    return {text: tuple(sorted(places)) for text, places in sorted(found.items())}


def _module(path: Path) -> str:
    return ".".join(("exaid_evals", *path.relative_to(SOURCE).with_suffix("").parts))


def _known_in(nodes: Nodes, module: str, defined: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return what takes a remedy by its place, as a module calls it: its own, what it imports, and methods."""
    methods = {f".{name}": place for names in defined.values() for name, place in names.items()}
    imported = {
        name.asname or name.name: defined[node.module][name.name]
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module in defined
        for name in node.names
        if name.name in defined[node.module]
    }
    return methods | imported | dict(defined[module])


def _positions(nodes: Nodes) -> Iterator[tuple[str, int]]:
    """Yield functions, methods and classes that take a remedy by its place, with the place."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            names = [one.arg for one in node.args.args if one.arg != "self"]
        elif isinstance(node, ast.ClassDef):
            names = [
                ast.unparse(one.target)
                for one in node.body
                if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation)
            ]
            init = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
            names = [one.arg for one in init.args.args if one.arg != "self"] if init else names
        else:
            continue
        if "remedy" in names and node.name != "__init__":
            yield node.name, names.index("remedy")


def _expressions(nodes: Nodes, takes: Mapping[str, int]) -> Iterator[ast.AST]:
    """Yield whatever is handed on, kept or returned as a remedy."""
    for node in nodes:
        if isinstance(node, ast.Call):
            place = takes.get(getattr(node.func, "id", f".{getattr(node.func, 'attr', '')}"))
            if place is not None and place < len(node.args):
                yield node.args[place]
        elif isinstance(node, ast.keyword) and node.arg == "remedy":
            yield node.value
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple | ast.IfExp):
                    yield from _at(node.value, [_is_named(name) for name in target.elts])
                elif not isinstance(target, ast.Tuple) and _is_named(target):
                    yield node.value
        elif isinstance(node, ast.FunctionDef) and _NAMED.search(node.name):
            yield node
        elif isinstance(node, ast.arguments):
            yield from _defaults(node)


def _defaults(of: ast.arguments) -> Iterator[ast.AST]:
    """Yield the remedy that a function takes where none is given."""
    named = zip(
        (*of.args[len(of.args) - len(of.defaults) :], *of.kwonlyargs), (*of.defaults, *of.kw_defaults), strict=True
    )
    yield from (value for one, value in named if one.arg == "remedy" and value is not None)


def _is_named(target: ast.expr) -> bool:
    return _NAMED.search(str(getattr(target, "id", getattr(target, "attr", "")))) is not None


def _at(value: ast.expr, wanted: list[bool]) -> Iterator[ast.AST]:
    if isinstance(value, ast.IfExp):
        yield from _at(value.body, wanted)
        yield from _at(value.orelse, wanted)
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(wanted):
        yield from (one for one, is_remedy in zip(value.elts, wanted, strict=True) if is_remedy)


def _alternatives(node: ast.AST, values: Mapping[str, ast.AST]) -> Iterator[ast.expr]:
    """Yield the texts that an expression may give: those of its branches, of a constant, of what a function returns."""
    below: Sequence[ast.AST] | None = None
    if isinstance(node, ast.IfExp):
        below = node.body, node.orelse
    elif isinstance(node, ast.BoolOp | ast.Dict):
        below = node.values
    elif isinstance(node, ast.Tuple | ast.List):
        below = node.elts
    elif isinstance(node, ast.FunctionDef):
        below = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
    elif isinstance(node, ast.Subscript):
        below = [node.value] if isinstance(node.value, ast.Dict) else []
    elif isinstance(node, ast.Call | ast.Name):
        name = getattr(node.func if isinstance(node, ast.Call) else node, "id", "")
        below = [values[name]] if name in values and not _NAMED.search(name) else []
        values = {}
    if below is None:
        assert isinstance(node, ast.expr)
        yield node
    else:
        for one in below:
            yield from _alternatives(one, values)
