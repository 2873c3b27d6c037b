"""CPU time of EXAIM's published stages and of ours on the same published records, in one run.

    git clone https://github.com/AbemKW/EXAIM-MedGemma-Impact upstream
    python -m venv upstream-env
    upstream-env/bin/pip install langchain-core 'jsonschema<5' pyyaml tqdm 'numpy<2' scipy 'spacy==3.7.4' 'click<8.2'
    python evals/bench/beside_upstream.py --upstream upstream --python upstream-env/bin/python --data FOLDER

FOLDER is laid out as upstream lays out `evals/data`: traces, runs, manifests, calibration. Upstream's code runs as
published, in its own format; ours on what `import-campaign` makes of the same files, with one process. Replay asks a
model that answers at once, on both sides: the buffer agent says yes, and the summary is always the same. Upstream's
extractor needs a model that no package registry holds; in its place spaCy's PhraseMatcher finds the names of HPO,
which takes less time than that model would, so upstream's metrics are faster here than where they were published.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from upstream_stage import SUMMARY

from exaid_evals.ontologies.hpo import load

HERE = Path(__file__).resolve().parent
CLIENT = f"""
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import LLMResponse, PlainClient, Usage


class Instant(PlainClient):
    name, model, parameters, stub = "instant", "instant", {{}}, True

    def complete(self, request):
        answer = {SUMMARY!r} if request.task == "summary" else dict.fromkeys(request.inputs["filters"], True)
        text = canonical_json(answer)
        return LLMResponse(text, Usage(1, request.prompt_ctu, ctu(text)), 0)


def build(config, **_):
    return Instant()
"""  # the answer that upstream_stage.py gives to upstream
GATE = "{kind: token_gate, min_words: 60, max_words: 100, silence_ms: 1000, max_wait_ms: 4000}"
FILTERS = "{kind: llm, filters: [completeness, value, novelty]}"
VARIANTS = {  # the gates and triggers of upstream's V0 to V4; V3's interval in CTU is that of its calibration
    "B0": (GATE, FILTERS),
    "B1": ("{kind: message}", "{kind: always}"),
    "B2": (GATE, "{kind: always}"),
    "B3": ("{kind: fixed_ctu, threshold_ctu: INTERVAL}", FILTERS),
    "B4": (GATE, "{kind: llm, filters: [completeness, value]}"),
}
AIMS = {"validate": 30, "replay": 10, "metrics": 6}


def cpu_s(command: list[str], cwd: Path, extra: Mapping[str, str]) -> float:
    """Return what a command and its children take, user and system.

    Raises:
        RuntimeError: it failed; 1 is no failure, for upstream's schemas reject some of its own records.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **extra}, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in {0, 1}:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command[:6])} …\n{log.read()[-2000:].decode(errors='replace')}")
    return used.ru_utime + used.ru_stime


def upstream(python: Path, checkout: Path, data: Path, work: Path) -> dict[str, float]:
    """Return the CPU time in s of upstream's stages over the published records."""
    names = work / "names.json"
    terms = load().terms
    names.write_text(json.dumps(sorted({text for term in terms for text in (term.name, *term.synonyms)})), "utf-8")
    manifest = next((data / "manifests").glob("*.manifest.jsonl"))
    calibration = checkout / "evals" / "data" / "calibration"  # where V3 looks for its interval
    calibration.mkdir(parents=True, exist_ok=True)
    shutil.copytree(data / "calibration", calibration, dirs_exist_ok=True)
    files = [str(path) for kind in ("traces", "runs/*") for path in sorted(data.glob(f"{kind}/*.jsonl.gz"))]
    places = ["--traces", str(data / "traces")]
    stages = {
        "validate": ["validate_logs", *files],
        "replay": ["run_variants", *places, "--output", str(work / "runs"), "--manifest", str(manifest)],
        "metrics": ["compute_metrics", *places, "--runs", str(data / "runs"), "--output", str(work / "metrics"),
                    "--manifests", str(data / "manifests")],
    }  # fmt: skip
    driver = [str(python), str(HERE / "upstream_stage.py"), str(checkout), str(names)]
    return {
        name: cpu_s([*driver, *stage], checkout, {"EXAID_ALLOW_COMMIT_MISMATCH": "1"}) for name, stage in stages.items()
    }


def ours(data: Path, work: Path) -> dict[str, float]:
    """Return the CPU time in s of our stages over the same records."""
    (work / "instant.py").write_text(CLIENT, "utf-8")
    variants = work / "variants"
    variants.mkdir()
    report = json.loads((data / "calibration" / "v3_calibration_report.json").read_text("utf-8"))
    interval = str(report["chunk_size_ctu"])
    for variant, (gate, trigger) in VARIANTS.items():
        text = (
            f"variant_id: {variant}\ngate: {gate.replace('INTERVAL', interval)}\ntrigger: {trigger}\n"
            "summarizer: {kind: structured}\nhistory_k: 3\n"
        )
        (variants / f"{variant}.yaml").write_text(text, "utf-8")
    campaign = ["--data-dir", str(work / "campaign")]
    replay = ["--variants-dir", str(variants), "--llm", "instant:build"]
    stages = {
        "import": ["import-campaign", str(data), *campaign],
        "validate": ["validate", "--jobs", "1", *campaign],
        "metrics": ["compute-metrics", "--jobs", "1", *campaign],
        "replay": ["run-variants", "--jobs", "1", *replay, *campaign],
    }
    extra = {"PYTHONPATH": os.pathsep.join([str(HERE.parent / "src"), str(work)])}
    command = [sys.executable, "-m", "exaid_evals"]
    return {name: cpu_s([*command, *stage], work, extra) for name, stage in stages.items()}


def main() -> None:
    """Print both sides and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--upstream", "--python", "--data"):
        parser.add_argument(option, type=lambda text: Path(text).absolute(), required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mine = ours(given.data, Path(folder))
        theirs = upstream(given.python, given.upstream, given.data, Path(folder))
    print(f"CPU s     {'published':>10}{'ours':>8}{'ratio':>7}{'aim':>5}")
    for stage, aim in AIMS.items():
        print(f"{stage:<10}{theirs[stage]:>10.1f}{mine[stage]:>8.1f}{theirs[stage] / mine[stage]:>7.1f}{aim:>5}")
    print(f"import-campaign, once: {mine['import']:.1f}")


if __name__ == "__main__":
    main()
