#!/usr/bin/env bash
# Takes hairpin off this host. The link stays, and stays at boot, unless you ask: the addresses live on it, with or without hairpin.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: uninstall.sh [--link] [--purge] [--prefix DIR] [--root DIR] [--dry-run]

  --link      also remove what brings the link up at boot (the running link is left alone)
  --purge     also remove /etc/hairpin with its keys, the journal, the hub's data, and the users
  --prefix    where the program is (default: /opt/hairpin)
  --root DIR  work below DIR and stop nothing
  --dry-run   print what would be done, and do nothing
TEXT
}

prefix=/opt/hairpin root="" dry=no link=no purge=no
while [ $# -gt 0 ]; do
  case $1 in
    --link) link=yes ;;
    --purge) purge=yes ;;
    --prefix) prefix=${2:?--prefix wants a directory}; shift ;;
    --root) root=${2:?--root wants a directory}; shift ;;
    --dry-run) dry=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "uninstall.sh: unknown flag $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
# Only a directory that holds this program is ever removed whole.
case $prefix in /*/*) ;; *) echo "uninstall.sh: --prefix $prefix is no place of a program" >&2; exit 2 ;; esac
if [ -z "$root" ] && [ "$dry" = no ] && [ "$(id -u)" -ne 0 ]; then
  echo "uninstall.sh: run as root, or look first with --dry-run" >&2
  exit 3
fi

run() {
  if [ "$dry" = yes ]; then echo "would run: $*"; else "$@"; fi
}
live() {
  if [ -z "$root" ]; then run "$@"; fi
}
drop() {
  local path
  for path in "$@"; do
    if [ -e "$root$path" ]; then run rm -rf -- "$root$path"; fi
  done
}

for unit in hairpin-hub.service hairpin-host.service; do
  if [ -e "$root/etc/systemd/system/$unit" ]; then
    live systemctl disable --now "$unit"
    drop "/etc/systemd/system/$unit"
  fi
done
if [ -e "$root$prefix/src/cli/main.ts" ]; then drop "$prefix"; fi
drop /usr/local/bin/hairpin /usr/lib/tmpfiles.d/hairpin.conf

if [ "$link" = yes ]; then
  # Disabled without --now: stopping changes nothing on the running link, but says so to whoever waits for the unit.
  if [ -e "$root/etc/systemd/system/hairpin-link.service" ]; then live systemctl disable hairpin-link.service; fi
  drop /etc/systemd/system/hairpin-link.service /etc/default/hairpin-link /usr/local/libexec/hairpin
  drop /etc/systemd/system/k0scontroller.service.d/10-hairpin-link.conf /etc/systemd/system/k0sworker.service.d/10-hairpin-link.conf
  for file in "$root"/etc/systemd/network/*.network.d/10-hairpin-macvlan.conf; do
    [ -e "$file" ] || continue
    name=$(sed -n 's/^MACVLAN=//p' "$file")
    drop "${file#"$root"}" "/etc/systemd/network/10-$name.netdev" "/etc/systemd/network/10-$name.network" "/etc/sysctl.d/60-$name.conf"
  done
fi
if [ "$purge" = yes ]; then
  drop /etc/hairpin /var/lib/hairpin /var/lib/hairpin-host /run/hairpin
  for user in hairpin hairpin-host; do
    if [ -z "$root" ] && id "$user" >/dev/null 2>&1; then run userdel "$user"; fi
  done
fi
drop /usr/lib/sysusers.d/hairpin.conf
live systemctl daemon-reload
if [ "$link" = no ]; then echo "The link at boot was left: uninstall.sh --link removes that too."; fi
if [ "$purge" = no ]; then echo "/etc/hairpin and /var/lib/hairpin* were left: uninstall.sh --purge removes them too."; fi
