# Plain syntax on purpose (no heredoc, no RUN --mount): the classic builder and every other one build it.
ARG BASE_IMAGE=python:3.12-slim-bookworm
FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="exaid-evals"
WORKDIR /app
ENTRYPOINT ["/app/evals/scripts/container_entrypoint.sh"]

ENV LANG=C.UTF-8 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTEST_ADDOPTS="-p no:cacheprovider" \
    MPLCONFIGDIR=/var/cache/exaid/matplotlib \
    EXAID_CACHE_DIR=/var/cache/exaid/concepts

# Dependencies: this layer changes with the lock file only. The model comes first, so that a closed network says so
# at once; the home folder is open to whoever runs the image.
ARG SCISPACY_MODEL=en_core_sci_sm-0.5.4
COPY evals/requirements-evals.txt evals/requirements-evals.txt
RUN useradd --create-home exaid \
 && if [ "$SCISPACY_MODEL" != none ]; then \
      pip install --quiet --no-cache-dir --no-deps \
        "https://s3-us-west-2.amazonaws.com/ai2-s2-scispacy/releases/v${SCISPACY_MODEL##*-}/$SCISPACY_MODEL.tar.gz" \
      || { echo "$SCISPACY_MODEL cannot be had; in a closed network: --build-arg SCISPACY_MODEL=none" >&2; exit 1; }; \
    fi \
 && pip install --quiet --no-cache-dir --require-hashes --no-deps -r evals/requirements-evals.txt \
 && mkdir -p "$MPLCONFIGDIR" "$EXAID_CACHE_DIR" \
 && python -c "import matplotlib.font_manager" \
 && chmod -R a+rwX /home/exaid

# Code. A run of one case shows that the image works and fills the caches, so that no later run has to. `a+rX`, since
# a checkout under a tight umask is unreadable for other users; the data folder belongs to the ordinary user, and is
# where it can write, when nothing is mounted there.
COPY . .
RUN pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable . \
 && python -m compileall -q evals/src \
 && EXAID_STUB_MODE=1 EXAID_DATA_DIR=/tmp/warm-up exaid-evals reproduce --limit 1 \
 && rm -rf /tmp/warm-up \
 && mkdir -p evals/data third_party/mac \
 && chmod -R a+rX /app /var/cache/exaid \
 && chmod a+rwx /var/cache/exaid/* \
 && chown exaid:exaid evals/data \
 && chmod a+rwx evals/data

WORKDIR /app/evals
