#!/usr/bin/env bash
# Stage 04: consolidate runs into one export.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_stage.sh"
run_stage eval_export "$@"
