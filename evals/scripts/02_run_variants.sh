#!/usr/bin/env bash
# Stage 02: replay the frozen traces through the variants, all or those named (V3 V4).
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_stage.sh"
run_stage run_variants "$@"
