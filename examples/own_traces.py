"""Traces of one's own: freeze conversations that another system has had, so that the variants can be replayed.

Usage: python examples/own_traces.py DATA_DIR, then `exaid-evals run-variants --data-dir DATA_DIR` and so on.
"""

import sys
from pathlib import Path

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ExaidError
from exaid_evals.traces.freeze import freeze_traces
from exaid_evals.traces.model import Message, Provenance, Trace

CONVERSATION = [  # who (supervisor, doctor0 … doctor2), what, and when it began, in ms since the first message
    ("supervisor", "A 7-year-old girl with fever, arthritis and a rash for three weeks.", 0),
    ("doctor0", "Systemic juvenile idiopathic arthritis is likely. I recommend ferritin.", 9_000),
    ("doctor1", "I agree. No hepatomegaly was seen, so leukemia is less likely.", 21_000),
]
if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    made_by = Provenance(mas_run_id="", mac_commit="0" * 40, model="my-model-1", stub=False)
    traces = [Trace("case-a1", "2025-01-31T09:00:00Z", tuple(Message(*said) for said in CONVERSATION), made_by)]
    try:
        manifest = freeze_traces(Campaign(Path(sys.argv[1]).resolve()), traces, note="exported from my system")
    except ExaidError as error:
        sys.exit(f"error: {error}")
    print(f"froze {len(manifest.entries)} traces, {manifest.trace_dataset_hash}")
