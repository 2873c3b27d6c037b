#!/usr/bin/env bash
# Stage 01: freeze the agents' conversations as traces.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/_stage.sh"
run_stage make_traces "$@"
