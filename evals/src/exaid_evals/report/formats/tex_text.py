"""Text for TeX: whatever a name or a signature holds, TeX sees only text, in ASCII."""

from __future__ import annotations

import re

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "`": r"\textquoteleft{}",
    "–": "--",
    "—": "---",
    "’": "'",
    "−": "$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "τ": r"$\tau$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "σ": r"$\sigma$",
}


def escape(text: str) -> str:
    r"""Return text in which TeX sees only text: on one line, in ASCII, foreign characters by their code points.

    >>> escape("95 % of V_1 ≥ 0.9")
    '95 \\% of V\\_1 $\\geq$ 0.9'
    >>> escape("a\n\nb 漢")
    'a b {[}U+6F22{]}'
    """
    return "".join(_character(character) for character in " ".join(text.split()))


def breakable(text: str) -> str:
    r"""Return a signature, escaped, for a typewriter face: one long word that may break behind each of its parts.

    >>> breakable("a/1|b:x_2")
    'a/\\allowbreak{}1|\\allowbreak{}b:x\\_2'
    """
    # Typewriter faces have the bar itself; \textbar would take it from another font, with a warning.
    return re.sub(r"([|/+])", r"\1\\allowbreak{}", escape(text).replace(r"\textbar{}", "|"))


def line(cells: list[str]) -> str:
    r"""Return a row of a tabular; what opens with `[` or `*` would be an argument of the `\\` before it."""
    row = " & ".join(cells)
    return ("{}" if row.lstrip().startswith(("[", "*")) else "") + row + r" \\"


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    return f"{{[}}U+{ord(character):04X}{{]}}"
