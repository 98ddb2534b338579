#!/usr/bin/env bash
# Runs a command in the Debian root that brings Home Assistant's Python, in a private mount namespace: nothing stays mounted, and
# the network namespace is the caller's. Binds /proc, /dev, $E2E_HOME and every folder of $E2E_BIND at the same path.
set -euo pipefail
: "${E2E_HOME:?}"
export E2E_HOME R=$E2E_HOME/root
# shellcheck disable=SC2016
exec unshare -m bash -c '
  set -e
  mount --rbind /proc "$R/proc"; mount --rbind /dev "$R/dev"
  for dir in "$E2E_HOME" ${E2E_BIND:-}; do mkdir -p "$R$dir"; mount --bind "$dir" "$R$dir"; done
  exec chroot "$R" /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/root "$@"' chroot "$@"
