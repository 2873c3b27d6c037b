# shellcheck shell=bash
# Sourced by the stage scripts. The working directory stays the caller's, so that relative paths mean what they say.

run_stage() { # entry point in evals/src, then its arguments
  local evals python
  evals=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
  for python in "$evals/../.venv/bin/python" python3 python; do
    if "$python" -c 'import importlib.metadata as m; m.distribution("exaid-evals")' >/dev/null 2>&1; then
      exec "$python" "$evals/src/$1.py" "${@:2}"
    fi
  done
  echo "$(basename -- "$0"): exaid-evals is not installed; run 'make setup' in $(dirname -- "$evals") first" >&2
  exit 2
}
