"""A verb: `exaid-evals count-words` counts the words of the frozen conversations."""

import click

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import CampaignRequest


def run(request: CampaignRequest) -> int:
    """Count the words that were said, in all frozen conversations."""
    traces = request.campaign.traces.glob("case-*.jsonl.gz")
    words = sum(len(message["content"].split()) for trace in traces for message in read_jsonl(trace))
    click.echo(f"{words} words")
    return 0


command = verb("count-words", CampaignRequest, run)
