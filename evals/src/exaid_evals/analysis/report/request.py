"""`analysis_request.md`: what someone who is asked for help must know, filled in from the run."""

from __future__ import annotations

from exaid_evals.analysis.report.sentences import key_finding, number, questions, sentence
from exaid_evals.analysis.stage import Analysis, key_metric
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.formats.markdown import escape

_MOST = 8


def render(analysis: Analysis) -> str:
    """Return the request in Markdown: context, technical details, questions by priority."""
    history = analysis.history
    steps = max((len(one.points) for one in history.series.values()), default=0)
    metric = key_metric(analysis)
    one = next((found for found in analysis.performance if found.metric == metric), None)
    context = [
        f"Run {_text(history.run_name)}, read from {history.source}: {len(history.series)} metrics over {steps} steps, "
        f"{len(history.batches)} batches.",
        f"What was seen: {_text(key_finding(analysis))}",
    ]
    if one is not None and one.best is not None:
        at = "" if one.best_step is None else f" at step {one.best_step:g}"
        context.append(f"{_text(one.metric)}: best {number(one.best)}{at}, final {number(one.final)}.")
    details = [
        f"- {_text(sentence(one))} ({one.severity}, {len(one.anomalies)} anomalies)"
        for one in analysis.incidents[:_MOST]
    ]
    for hypothesis in analysis.diagnosis.hypotheses[:2] if analysis.diagnosis else ():
        details += [
            f"- {hypothesis.family}: {_text(part.text)} ({part.weight:+.1f})" for part in hypothesis.evidence[:4]
        ]
    settings = [f"- {_text(str(name))}: {_text(str(value)[:120])}" for name, value in list(history.config.items())[:30]]
    asked = [
        f"{number_}. ({priority}) {_text(text)}"
        for number_, (priority, text) in enumerate(questions(analysis), start=1)
    ]
    return (
        f"# Request for an analysis: {_text(history.run_name)}\n\n## Context\n\n"
        + "\n\n".join(context)
        + "\n\n## Technical details\n\n"
        + ("\n".join(details) or "No incident was found.")
        + "\n\n### Configuration\n\n"
        + ("\n".join(settings) or "The source holds none.")
        + "\n\n## Questions, the most pressing first\n\n"
        + "\n".join(asked)
        + "\n"
    )


def _text(text: str) -> str:
    return escape(printable(text)).replace("![", "!\\[")
