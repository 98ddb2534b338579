#!/usr/bin/env bash
# Installs hairpin on a Kubernetes host with systemd: the link at boot, the host process, the hub. Run again after a change.
set -euo pipefail
umask 022

usage() {
  cat <<'TEXT'
Usage: install.sh [--config FILE] [--only PART]... [--prefix DIR] [--root DIR] [--dry-run]

  --config FILE  the hairpin.yaml whose link is installed (default: ./hairpin.yaml); copied to /etc/hairpin unless one is there
  --only PART    link      the link at boot, as a oneshot unit before k0s (not together with networkd)
                 networkd  the link at boot, by systemd-networkd
                 host      the host process
                 hub       the hub
                 (default: link, host and hub)
  --prefix DIR   where the program goes (default: /opt/hairpin)
  --root DIR     write everything below DIR and start nothing, as for a package or an image
  --dry-run      print what would be done, and do nothing
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
config=hairpin.yaml prefix=/opt/hairpin root="" dry=no parts=""
while [ $# -gt 0 ]; do
  case $1 in
    --config) config=${2:?--config wants a file}; shift ;;
    --only) parts="$parts ${2:?--only wants a part}"; shift ;;
    --prefix) prefix=${2:?--prefix wants a directory}; shift ;;
    --root) root=${2:?--root wants a directory}; shift ;;
    --dry-run) dry=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "install.sh: unknown flag $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
parts=${parts:-link host hub}
for part in $parts; do
  case $part in
    link | networkd | host | hub) ;;
    *) echo "install.sh: unknown part $part" >&2; exit 2 ;;
  esac
done
wants() { case " $parts " in *" $1 "*) true ;; *) false ;; esac; }
if wants link && wants networkd; then
  echo "install.sh: link and networkd would both own the link: choose one" >&2
  exit 2
fi
if [ -z "$root" ] && [ "$dry" = no ] && [ "$(id -u)" -ne 0 ]; then
  echo "install.sh: run as root, or look first with --dry-run" >&2
  exit 3
fi

run() {
  if [ "$dry" = yes ]; then echo "would run: $*"; else "$@"; fi
}
# Commands of the running system: left out below --root.
live() {
  if [ -z "$root" ]; then run "$@"; fi
}
# Writes stdin to a file.
put() {
  local to="$root$2"
  if [ "$dry" = yes ]; then
    echo "would write: $to (mode $1)"
    cat >/dev/null
  else
    install -d "$(dirname "$to")"
    cat >"$to"
    chmod "$1" "$to"
  fi
}

# The link as the configuration has it, as KEY=value lines that systemd and a shell both read.
node=$checkout/node_modules/.bin/node
[ -x "$node" ] || node "$checkout/deploy/bootstrap.mjs"
[ -x "$node" ] || node=node
# shellcheck disable=SC2016 # JavaScript, not shell.
read_link='
  const { link, links = {} } = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const all = [...(link ? [link] : []), ...Object.entries(links).map(([name, rest]) => ({ name, ...rest }))];
  if (all.length > 1) { console.error("install.sh: several links: install each by hand after deploy/host/README.md"); process.exit(2); }
  for (const one of all) {
    console.log(`NAME=${one.name}\nPARENT=${one.parent}\nMAC=${one.mac}\nMODE=${one.mode}\nRP_FILTER=${one.sysctl.rp_filter}`);
    console.log(`ARP_IGNORE=${one.sysctl.arp_ignore}\nADDRESSES="${one.addresses.join(" ")}"\nFDB_LOCAL=${one.fdb_local ? "yes" : "no"}`);
  }'
settings=$("$node" "$checkout/src/cli/main.ts" config show --for host --json --config "$config" | "$node" -e "$read_link")
setting() { printf '%s\n' "$settings" | sed -n "s/^$1=//p" | tr -d '"'; }
name=$(setting NAME) parent=$(setting PARENT) mac=$(setting MAC) mode=$(setting MODE)

# The shipped files carry the example's names; here they get this house's.
render() {
  local device
  device=$(printf '%s' "$parent" | sed 's/-/\\\\x2d/g')
  sed -e "s/devices-bridge0\.device/devices-$device.device/g" -e "s/metallb0/$name/g" -e "s/bridge0/$parent/g" \
    -e "s/f2:5a:5f:84:40:e8/$mac/g" -e "s/^Mode=bridge$/Mode=$mode/" \
    -e "s/\(rp_filter = \).*/\1$(setting RP_FILTER)/" -e "s/\(arp_ignore = \).*/\1$(setting ARP_IGNORE)/" "$1"
}
render_unit() { sed -e "s#/opt/hairpin#$prefix#g" "$1"; }

if [ -z "$name" ] && { wants link || wants networkd; }; then
  echo "install.sh: $config has no link: nothing to bring up at boot" >&2
  parts=$(printf '%s' "$parts" | sed -e 's/networkd//' -e 's/link//')
fi

units=""
if wants link; then
  put 0755 /usr/local/libexec/hairpin/link-up <"$here/link-up.sh"
  printf '# Written by install.sh from the link of hairpin.yaml.\n%s\n' "$settings" | put 0644 /etc/default/hairpin-link
  render "$here/systemd/hairpin-link.service" | put 0644 /etc/systemd/system/hairpin-link.service
  for unit in k0scontroller k0sworker; do
    put 0644 "/etc/systemd/system/$unit.service.d/10-hairpin-link.conf" <"$here/systemd/$unit.service.d/10-hairpin-link.conf"
  done
  units="$units hairpin-link.service"
fi
if wants networkd; then
  file=$(networkctl status "$parent" 2>/dev/null | sed -n 's/^ *Network File: //p' || true)
  file=$(basename "${file:-$parent.network}")
  render "$here/networkd/10-metallb0.netdev" | put 0644 "/etc/systemd/network/10-$name.netdev"
  render "$here/networkd/10-metallb0.network" | put 0644 "/etc/systemd/network/10-$name.network"
  render "$here/networkd/10-hairpin-macvlan.conf" | put 0644 "/etc/systemd/network/$file.d/10-hairpin-macvlan.conf"
  render "$here/networkd/60-metallb0.sysctl" | put 0644 "/etc/sysctl.d/60-$name.conf"
  live networkctl reload
fi
if wants host || wants hub; then
  put 0644 /usr/lib/sysusers.d/hairpin.conf <"$here/systemd/hairpin.sysusers"
  put 0644 /usr/lib/tmpfiles.d/hairpin.conf <"$here/systemd/hairpin.tmpfiles"
  live systemd-sysusers hairpin.conf
  live systemd-tmpfiles --create hairpin.conf
  run install -d "$root$prefix"
  run rm -rf -- "$root$prefix/src" "$root$prefix/deploy" # Files that a former version had must not stay.
  for item in src deploy package.json package-lock.json .npmrc hairpin.schema.json README.md LICENSE; do
    if [ -e "$checkout/$item" ]; then run cp -a "$checkout/$item" "$root$prefix/"; fi
  done
  live npm ci --prefix "$prefix" --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
  printf '#!/bin/sh\nexec %s/node_modules/.bin/node %s/src/cli/main.ts "$@"\n' "$prefix" "$prefix" | put 0755 /usr/local/bin/hairpin
  if [ -e "$root/etc/hairpin/hairpin.yaml" ]; then
    echo "kept $root/etc/hairpin/hairpin.yaml"
  else
    put 0640 /etc/hairpin/hairpin.yaml <"$config"
    for item in keys ca.pem; do
      if [ -e "$(dirname "$config")/$item" ]; then run cp -a "$(dirname "$config")/$item" "$root/etc/hairpin/"; fi
    done
    live chown -R root:hairpin /etc/hairpin
    if [ -d "$(dirname "$config")/keys" ]; then live chown -R hairpin:hairpin /etc/hairpin/keys; fi
  fi
  for part in host hub; do
    if wants "$part"; then
      render_unit "$here/systemd/hairpin-$part.service" | put 0644 "/etc/systemd/system/hairpin-$part.service"
      units="$units hairpin-$part.service"
    fi
  done
fi

if [ -n "$units" ]; then
  live systemctl daemon-reload
  # shellcheck disable=SC2086 # One word for each unit.
  live systemctl enable $units
fi
cat <<TEXT
Installed:${units:- nothing to start}
Next, once /etc/hairpin/hairpin.yaml and its keys are as you want them:
  hairpin config check --config /etc/hairpin/hairpin.yaml
  hairpin kubeconfig     # the host's rights in the cluster, once deploy/kubernetes is applied; --check says what it may
  systemctl start${units:- hairpin-hub.service}
  journalctl -fu hairpin-host -u hairpin-hub
TEXT
