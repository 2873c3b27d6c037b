"""Makes the golden results of lm-evaluation-harness with the harness, its dummy model and two tasks of a few lines.

Needs: pip install lm-eval "numpy>=2" (made with 0.4.13). No network and no model: HF_HUB_OFFLINE is set.

    python make.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: ["yes", "no"]
doc_to_target: "{{{{answer}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: brier_score, aggregation: brier_score, higher_is_better: false}}
metadata: {{version: {version}}}
"""


def main() -> None:
    """Evaluate, and keep the results file without what tells about this machine."""
    shutil.rmtree(HERE / "dummy", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for version, name in enumerate(("fever", "cough"), start=1):
            data = place / f"{name}.jsonl"
            rows = [{"question": f"{name} {n}?", "answer": n % 2} for n in range(10)]
            data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            (place / f"{name}.yaml").write_text(TASK.format(name=name, data=data, version=version), encoding="utf-8")
        subprocess.run(
            [
                str(Path(sys.executable).with_name("lm_eval")),
                "--model",
                "dummy",
                "--include_path",
                folder,
                "--tasks",
                "fever,cough",
                "--output_path",
                str(place / "out"),
                "--seed",
                "3",
            ],
            check=True,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": folder},
        )
        [made] = (place / "out").glob("*/results_*.json")
        results = json.loads(made.read_text(encoding="utf-8"))
        results["pretty_env_info"] = "left out"
        for config in results["configs"].values():
            config["dataset_kwargs"]["data_files"]["test"] = f"{config['task']}.jsonl"
            config.get("metadata", {}).pop("config_source", None)
        target = HERE / "dummy" / made.name
        target.parent.mkdir()
        target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
