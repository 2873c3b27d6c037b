#!/usr/bin/env bash
# While an image is built: installs the checkout in /app. A run of one case shows that the image works and fills the
# caches, so that no later run has to. `a+rX`, since a checkout under a tight umask is unreadable for other users; the
# data folder belongs to the ordinary user, and is where it can write, when nothing is mounted there.
set -euo pipefail
cd /app

pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable .
python -m compileall -q evals/src
EXAID_STUB_MODE=1 EXAID_DATA_DIR=/tmp/warm-up exaid-evals reproduce --limit 1
rm -rf /tmp/warm-up
mkdir -p evals/data third_party/mac
chmod -R a+rX /app /var/cache/exaid
chmod a+rwx /var/cache/exaid/*
chown exaid:exaid evals/data
chmod a+rwx evals/data
