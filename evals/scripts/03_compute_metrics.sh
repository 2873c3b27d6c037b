#!/usr/bin/env bash
# Stage 03: measure the runs; write tables and figures.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_stage.sh"
run_stage compute_metrics "$@"
