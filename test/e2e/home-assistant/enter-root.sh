#!/usr/bin/env bash
# Runs a command inside a Debian root directory ($HAIRPIN_E2E_ROOT) in a private mount namespace: nothing stays mounted
# afterwards, and the network namespace is the caller's. /proc, /dev, the cache and every directory of $HAIRPIN_E2E_BIND are
# there at the same path. Needs the rights of root, which a user namespace gives as well.
set -euo pipefail
: "${HAIRPIN_E2E_ROOT:?}" "${HAIRPIN_E2E_CACHE:?}"
# shellcheck disable=SC2016 # It is the inner shell that expands them.
exec unshare -m bash -c '
  set -e
  R=$HAIRPIN_E2E_ROOT
  mount --rbind /proc "$R/proc"; mount --rbind /dev "$R/dev"
  for d in "$HAIRPIN_E2E_CACHE" ${HAIRPIN_E2E_BIND:-}; do mkdir -p "$R$d"; mount --bind "$d" "$R$d"; done
  exec chroot "$R" /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/root "$@"' enter-root "$@"
