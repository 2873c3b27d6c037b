r"""Text for TeX: whatever a name or a signature holds, TeX sees only text.

Accents are commands. Letters of other scripts are printed where the engine has them, and else by their code points:
the macro `\exaidchar` decides, and a file that has any of them defines it.
"""

from __future__ import annotations

import re
import unicodedata

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
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
CHARACTER = r"\exaidchar"
# Known to 8-bit engines by its name in inputenc (Cyrillic with T2A), to xeCJK and LuaTeX-ja by their fonts for CJK, to
# others where the current font has it. It expands to plain text, so that it may stand in captions.
DEFINITION = (
    r"\providecommand{\exaidchar}[2]{\ifcsname u8:\detokenize{#1}\endcsname#1\else"
    r"\ifdefined\xeCJKsetup#1\else\ifdefined\ltjsetparameter#1\else\ifdefined\Umathchar"
    r"\iffontchar\font"
    '"'
    r"#2 #1\else{[}U+#2{]}\allowbreak\fi\else{[}U+#2{]}\allowbreak\fi\fi\fi\fi}"
)


def escape(text: str) -> str:
    r"""Return text in which TeX sees only text, on one line: signs without a letter's nature by their code points.

    >>> escape("95 % of V_1 ≥ 0.9")
    '95 \\% of V\\_1 $\\geq$ 0.9'
    >>> escape("é\n\n漢 🙂")
    "\\'{e} \\exaidchar{漢}{6F22} {[}U+1F642{]}"
    """
    return "".join(_character(character) for character in " ".join(text.split()))


LOOSE = r"\allowbreak{}"
_LONG_WORD = 32


def prose(text: str) -> str:
    r"""Return text, escaped, whose long words, such as names of files, may break behind their signs.

    >>> prose("in evaluation_results_long_h100_20250115 of")[:45], prose("a_b")
    ('in evaluation\\_\\allowbreak{}results\\_\\allowbr', 'a\\_b')
    """
    words = [
        LOOSE.join(escape(part) for part in re.findall(r"[^_/.:=-]*[_/.:=-]?", word) if part)
        if len(word) > _LONG_WORD
        else escape(word)
        for word in text.split()
    ]
    return " ".join(words)


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
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    if unicodedata.category(character).startswith("L"):
        return f"{CHARACTER}{{{character}}}{{{ord(character):04X}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"
