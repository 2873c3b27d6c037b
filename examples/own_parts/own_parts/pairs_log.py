"""A format of runs: a file of lines such as `step=3 loss=0.25`. Export, analysis and monitor read it from then on."""

import re

from exaid_evals.runs.history_files import HistoryFile

_PAIR = re.compile(r"(\w+)=([-+.\w]+)")


class PairsFormat(HistoryFile):
    """Reads `*.pairs`."""

    name = "pairs"
    suffixes = (".pairs",)
    grows = False

    def rows(self, path, warnings):
        """Return a row a line: name → number, or text where it is none."""
        return [dict(map(_typed, _PAIR.findall(line))) for line in path.read_text(encoding="utf-8").splitlines()]


def _typed(pair):
    try:
        return pair[0], float(pair[1])
    except ValueError:
        return pair
