#!/usr/bin/env bash
# Makes a folder with both apps, each with the source that its image is built from: for /addons of a Home Assistant, or as the
# content of an app repository. The supervisor builds an app from its own folder alone, which is why the source goes into it.
#   deploy/homeassistant/app/pack.sh DIRECTORY [--image ghcr.io/OWNER/hairpin-app]
# With --image the apps are pulled from there instead of being built at home; build that image from DIRECTORY/hairpin.
set -euo pipefail

usage() {
  echo "usage: pack.sh DIRECTORY [--image NAME]" >&2
  exit 2
}

[ $# -ge 1 ] || usage
out=$1
image=
shift
while [ $# -gt 0 ]; do
  case $1 in
    --image) image=${2:-} && [ -n "$image" ] || usage && shift 2 ;;
    *) usage ;;
  esac
done

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$root/package.json")

pack() {
  local from=$1 to=$2
  if [ -e "$to" ]; then
    echo "pack.sh: $to is there already: remove it first" >&2
    exit 1
  fi
  mkdir -p "$to"
  cp -RL "$from"/. "$to"
  rm -f "$to/pack.sh"
  cp "$root"/{package.json,package-lock.json,.npmrc,LICENSE} "$to"
  cp -R "$root/src" "$to/src"
  sed -i "s/^version: .*/version: $version/" "$to/config.yaml"
  [ -z "$image" ] || sed -i "s|^slug: .*|&\nimage: $image|" "$to/config.yaml"
}

mkdir -p "$out"
pack "$here" "$out/hairpin"
pack "$here-host-network" "$out/hairpin-host-network"
cp "$root/repository.yaml" "$out/repository.yaml"
echo "$out: hairpin, hairpin-host-network ($version)"
