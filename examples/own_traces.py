"""Traces of one's own: freeze conversations that another system has had, so that the variants can be replayed.

Usage: python examples/own_traces.py DATA_DIR, then `exaid-evals run-variants --data-dir DATA_DIR` and so on.
"""

import sys
from pathlib import Path

from exaid_evals.config.campaign import Campaign
from exaid_evals.traces.freeze import freeze_traces
from exaid_evals.traces.model import Message, Provenance, Trace

# Who says what, and when its first character appeared, in ms since the case's first message. Agents are called
# supervisor, doctor0, doctor1 and doctor2.
TALKS = {
    "case-a1": [
        ("supervisor", "A 7-year-old girl with fever, arthritis and a rash for three weeks.", 0),
        ("doctor0", "Systemic juvenile idiopathic arthritis is likely. I recommend ferritin.", 9_000),
        ("doctor1", "I agree. No hepatomegaly was seen, so leukemia is less likely.", 21_000),
    ],
}

if __name__ == "__main__":
    made_by = Provenance(mas_run_id="", mac_commit="0" * 40, model="my-model-1", stub=False)
    traces = [
        Trace(case_id, "2025-01-31T09:00:00Z", tuple(Message(*said) for said in talk), made_by)
        for case_id, talk in TALKS.items()
    ]
    manifest = freeze_traces(Campaign(Path(sys.argv[1]).resolve()), traces, note="exported from my system")
    print(f"froze {len(manifest.entries)} traces, {manifest.trace_dataset_hash}")
