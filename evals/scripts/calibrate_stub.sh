#!/usr/bin/env bash
# Freeze the gates of the variants that ship: calibrate the token gate on synthetic stub cases that the default stub
# campaign does not evaluate, and write the choice with its provenance into configs/variants and configs/ablation.
# What it writes depends on the configurations alone. Further arguments go to `calibrate` (--jobs 2).
set -euo pipefail
evals=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

call() {
  local python
  for python in "${PYTHON:-}" "$evals/../.venv/bin/python" python3 python; do
    if [[ -n $python ]] && "$python" -c 'import importlib.metadata as m; m.distribution("exaid-evals")' >/dev/null 2>&1; then
      "$python" -m exaid_evals "$@"
      return
    fi
  done
  echo "$(basename -- "$0"): exaid-evals is not installed; run 'make setup' in $(dirname -- "$evals") first" >&2
  return 2
}

synthetic=(--stub --source synthetic)
call make-traces "${synthetic[@]}" --data-dir "$work/evaluated"
call make-traces "${synthetic[@]}" --data-dir "$work/others" --exclude-from "$work/evaluated"
campaigns=(--data-dir "$work/evaluated" --traces "$work/others")
call calibrate --write "${campaigns[@]}" "$@"
call calibrate --write "${campaigns[@]}" "$@" --variants-dir "$evals/configs/ablation" --interval A3 A0 A2 A4
