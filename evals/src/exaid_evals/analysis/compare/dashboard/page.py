"""The dashboard's page: what the numbers say as text, then the table, the intervals and the histories."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from exaid_evals.analysis.compare.dashboard.data import dashboard_data
from exaid_evals.analysis.compare.recommend import recommendations, verdict
from exaid_evals.analysis.compare.record import signature
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.report.html_page import page, text

_CONTROLS = """
<h2 id="runs-title">Runs</h2>
<noscript><p>Sorting, filtering and drawing need JavaScript; comparison.md has the tables.</p></noscript>
<div class="bar">
<label class="grow">Text: name, group, setting=value
<input id="text" type="search" autocomplete="off" spellcheck="false"></label>
<fieldset><label>Setting<select id="setting"></select></label><label>is<select id="value"></select></label></fieldset>
<fieldset><label>Metric<select id="metric"></select></label>
<label>from<input id="low" class="number" type="number" step="any"></label>
<label>to<input id="high" class="number" type="number" step="any"></label></fieldset>
<button id="reset" type="button">Reset</button>
</div>
<div class="scroll tall" tabindex="0" role="region" aria-labelledby="runs-title"><table class="runs">
<thead><tr id="heads"><th class="pick" scope="col"><span>draw</span></th></tr></thead><tbody id="rows"></tbody>
</table></div>
<p class="count"><output id="count" aria-live="polite"></output>
<span id="wide" hidden>There are more columns: scroll the table sideways.</span></p>
<h2>Histories</h2>
<div class="bar">
<label>Metric<select id="drawn"></select></label>
<label>Steps<select id="part"><option value="1">all</option><option value="0.5">the last half</option>
<option value="0.2">the last fifth</option></select></label>
<label class="inline"><input id="log" type="checkbox">logarithmic</label>
<button id="all" type="button">Draw all shown</button>
<button id="clear" type="button">Clear</button>
</div>
<div class="card"><svg id="chart" tabindex="0" role="img"></svg>
<output class="readout" id="readout" aria-live="polite"></output><ul class="legend" id="legend"></ul></div>
<h2>Groups, with 95 % intervals</h2>
<div class="bar"><label>Metric<select id="ranked"></select></label></div>
<div class="card"><svg id="forest" role="img" aria-label="level and interval of each group"></svg></div>
<p class="sub" id="told"></p>
"""


def render(comparison: Comparison) -> str:
    """Return the page."""
    groups = len(comparison.groups)
    title = f"Comparison of {len(comparison.runs)} runs"
    sources = ", ".join(sorted({run.history.source for run in comparison.runs}))
    made_of = f"{groups} configurations" if groups < len(comparison.runs) else "each of its own configuration"
    lead = verdict(comparison.rankings[0])
    advice = "".join(f"<li>{text(line)}</li>" for line in recommendations(comparison))
    notes = "".join(f"<li>{text(line)}</li>" for line in comparison.notes)
    limits = (
        f"<details><summary>What limits the comparison ({len(comparison.notes)})</summary><ul>{notes}</ul></details>"
        if notes
        else ""
    )
    body = (
        f'<h1>{text(title)}</h1>\n<p class="sub">{text(made_of)} · {text(sources)} · {text(_basis(comparison))}</p>\n'
        f'<p class="lead">{text(lead)}</p>\n<ul>{advice}</ul>\n{limits}\n{_CONTROLS}'
    )
    data = json.dumps(dashboard_data(comparison), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    script = "(() => {\n'use strict';\n" + _file("chart.js") + _file("dashboard.js") + "})();\n"
    return page(title, body, signature(comparison), style=_file("dashboard.css"), script=script, data=data)


def _basis(comparison: Comparison) -> str:
    of = {"level": "the mean of its last fifth", "best": "its best value", "final": "its last value"}
    return f"a run counts by {of[comparison.statistic]}"


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
