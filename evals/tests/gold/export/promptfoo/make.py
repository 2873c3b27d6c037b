"""Makes the golden output of promptfoo with its `echo` provider: no network, no key.

Needs: npm install promptfoo (made with 0.121.20), and `npx` on the path.

    python make.py
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG = {
    "prompts": ["Say {{x}}", "Please say {{x}}"],
    "providers": ["echo"],
    "tests": [
        {"vars": {"x": word}, "assert": [{"type": "contains", "value": wanted}]}
        for word, wanted in (("yes", "Say"), ("no", "Please"))
    ],
}


def main() -> None:
    """Evaluate, and keep the output without what tells about this machine; a failed assertion is no failure."""
    with tempfile.TemporaryDirectory() as folder:
        config, written = Path(folder) / "promptfooconfig.json", Path(folder) / "out.json"
        config.write_text(json.dumps(CONFIG))
        command = ["npx", "--no-install", "promptfoo", "eval", "-c", str(config), "--no-cache", "-o", str(written)]
        subprocess.run(command, check=False)
        output = json.loads(written.read_text())
    output["metadata"] = {"promptfooVersion": output["metadata"]["promptfooVersion"]}
    output["config"].pop("outputPath", None)
    (HERE / "output.json").write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()
