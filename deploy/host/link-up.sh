#!/bin/sh
# Makes the link that MetalLB announces on true, before the cluster starts. Idempotent: run twice, it changes nothing.
#
# A plain shell script over iproute2, so that the link never depends on hairpin, on Node or on the network. What it sets:
# - the link with its fixed MAC, in the one command that creates it: udev's MACAddressPolicy=persistent rewrites a MAC that
#   was left to chance, and a MAC set later is one that the speaker has already answered without;
# - its sysctls, after each creation: a new link takes them from conf.default;
# - its addresses, and the bridge's FDB entry, without which the bridge floods what is meant for this MAC to every port.
#
# Exit 0: the link is true. 1: it is not, and the reason is on stderr. 2: a setting is missing or not of its form.
set -eu

NAME=${NAME:-} PARENT=${PARENT:-} MAC=${MAC:-} MODE=${MODE:-bridge}
RP_FILTER=${RP_FILTER:-0} ARP_IGNORE=${ARP_IGNORE:-1} ADDRESSES=${ADDRESSES:-} FDB_LOCAL=${FDB_LOCAL:-yes}

fail() {
  code=$1
  shift
  echo "hairpin-link: $*" >&2
  exit "$code"
}

matches() { printf '%s' "$1" | grep -Eqx "$2"; }
matches "$NAME" '[A-Za-z0-9_.-]{1,15}' || fail 2 "NAME is missing or no interface name"
matches "$PARENT" '[A-Za-z0-9_.-]{1,15}' || fail 2 "PARENT is missing or no interface name"
matches "$MAC" '[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}' || fail 2 "MAC is missing or no MAC address"
matches "$MODE" 'bridge|private|vepa|passthru' || fail 2 "MODE is bridge, private, vepa or passthru"
matches "$RP_FILTER" '[0-2]' || fail 2 "RP_FILTER is 0, 1 or 2"
matches "$ARP_IGNORE" '[0-8]' || fail 2 "ARP_IGNORE is 0 to 8"
MAC=$(printf '%s' "$MAC" | tr 'A-F' 'a-f')

command -v ip >/dev/null || fail 1 "ip is missing: install iproute2"
# One line of details; the answers come from netlink and not from /sys, which may show another network namespace.
details_of() { ip -d -o link show dev "$1" 2>/dev/null; }
parent=$(details_of "$PARENT") || fail 1 "$PARENT is missing: it must be there before $NAME"

# Prints how the existing link differs from what was declared; nothing when it does not.
difference() {
  case $1 in *" macvlan mode "*) ;; *) echo "foreign"; return ;; esac
  case $1 in *" link/ether $MAC "*) ;; *) echo "its MAC is another" ;; esac
  case $1 in *": $NAME@$PARENT: "*) ;; *) echo "it is not on $PARENT" ;; esac
  case $1 in *" macvlan mode $MODE "*) ;; *) echo "its mode is not $MODE" ;; esac
}

if details=$(details_of "$NAME"); then
  differs=$(difference "$details")
  case $differs in
    "") ;;
    foreign) fail 1 "$NAME exists and is no macvlan: not ours to touch" ;;
    *)
      # Never changed in place: a speaker that listens already would go on answering with the old MAC.
      echo "hairpin-link: making $NAME anew: $differs" >&2
      ip link del dev "$NAME"
      details=""
      ;;
  esac
fi
if [ -z "$details" ]; then
  ip link add name "$NAME" link "$PARENT" address "$MAC" up type macvlan mode "$MODE"
fi

set_sysctl() {
  file="/proc/sys/net/ipv4/conf/$NAME/$1"
  [ "$(cat "$file")" = "$2" ] || echo "$2" >"$file"
}
set_sysctl rp_filter "$RP_FILTER"
set_sysctl arp_ignore "$ARP_IGNORE"
# The effective value is the greater of conf.all and the link's: at 1 or 2, all that arrives here is dropped.
all=$(cat /proc/sys/net/ipv4/conf/all/rp_filter)
if [ "$all" -gt "$RP_FILTER" ]; then
  echo "hairpin-link: net.ipv4.conf.all.rp_filter is $all and overrides $NAME's $RP_FILTER: set it to $RP_FILTER" >&2
fi

ip link set dev "$NAME" up
for address in $ADDRESSES; do
  ip address replace "$address" dev "$NAME"
done
case $parent in *" bridge "*) is_bridge=yes ;; *) is_bridge=no ;; esac
if [ "$FDB_LOCAL" = yes ] && [ "$is_bridge" = yes ]; then
  command -v bridge >/dev/null || fail 1 "bridge is missing: install iproute2"
  bridge fdb replace "$MAC" dev "$PARENT" self local
fi
