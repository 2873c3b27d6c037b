#!/usr/bin/env bash
# Stage 00: check whatever records exist.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_stage.sh"
run_stage validate_logs "$@"
