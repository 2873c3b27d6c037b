#!/usr/bin/env bash
# Entry point of the image: `-c "…"` goes to bash, `scripts/….sh` is run, no argument opens a shell, anything else is
# a command. Started as root, it first becomes the owner of the (mounted) data folder, so that what a run writes
# belongs to the owner of the checkout. Started as another user (`--user 1234`), it stays that user.
set -euo pipefail

as=()
if [[ $(id -u) == 0 ]]; then
  uid=$(stat -c %u /app/evals/data) gid=$(stat -c %g /app/evals/data)
  as=(setpriv --no-new-privs --inh-caps=-all)
  if [[ $uid == 0 ]]; then
    # Files that shall be root's can only be written by root. It keeps the name and loses the powers: without any
    # capability it may do what an ordinary owner may. (Under a rootless engine it is the user who started it.)
    as+=(--bounding-set=-all)
  else
    getent passwd "$uid" >/dev/null || [[ ! -w /etc/passwd ]] || echo "exaid-host:x:$uid:$gid::/home/exaid:/bin/bash" >>/etc/passwd
    as+=(--reuid="$uid" --regid="$gid" --clear-groups)
  fi
fi

# Writable for everyone in the image, unless the container's root is read-only.
export HOME=/home/exaid
"${as[@]}" test -w "$HOME" || HOME=$("${as[@]}" mktemp -d)
# So are the caches, which the image has filled.
for cache in MPLCONFIGDIR EXAID_CACHE_DIR; do
  if ! "${as[@]}" test -w "${!cache}"; then
    "${as[@]}" cp -r "${!cache}" "$HOME/"
    export "$cache=$HOME/$(basename "${!cache}")"
  fi
done

case ${1:-} in
  "" | -* | *.sh) exec "${as[@]}" bash "$@" ;;
  *) exec "${as[@]}" "$@" ;;
esac
