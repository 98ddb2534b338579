#!/usr/bin/env bash
# Installs a real Home Assistant Core into $HAIRPIN_E2E_CACHE. About 50 s the first time, nothing when it is there.
#   install.sh 2026.11.0    needs Python 3.14.2: the machine's own, else Debian forky's in a directory of its own
#   install.sh 2025.4.4     needs Python 3.13:   the machine's own or pyenv's, else Debian trixie's
# Prints on its last line the root directory in which it has to run, or "-" where this machine's Python does.
# Needs PyPI, and for a directory of Debian: root, mmdebstrap and the Debian mirror that this machine already uses.
set -euo pipefail
VERSION=${1:?version of Home Assistant}
CACHE=${HAIRPIN_E2E_CACHE:?}
export HAIRPIN_E2E_CACHE
here=$(cd "$(dirname "$0")" && pwd)
say() { echo "home-assistant: $*" >&2; }
case $VERSION in
  2025.[2-9].* | 2025.1[0-2].* | 2026.[12].*) need=3.13 suite=trixie fits='sys.version_info[:2] == (3, 13)' ;;
  *) need=3.14 suite=forky fits='sys.version_info >= (3, 14, 2)' ;;
esac
# What Home Assistant 2025.5 and later ask for is newer than the first 3.13.
case $VERSION in 2025.[5-9].* | 2025.1[0-2].* | 2026.[12].*) fits="(3, 13, 2) <= sys.version_info < (3, 14)" ;; esac
venv=$CACHE/venv-$VERSION
root=$CACHE/root-$suite
if [ -e "$venv/.ok" ]; then cat "$venv/.ok"; exit 0; fi
mkdir -p "$CACHE"
python=""
for candidate in "$HOME"/.pyenv/versions/"$need"*/bin/python3 "python$need" python3; do
  found=$(command -v "$candidate" 2>/dev/null) || continue
  if "$found" -c "import sys; sys.exit(not ($fits))" 2>/dev/null; then python=$found; break; fi
done
inside() { if [ -n "$python" ]; then "$@"; else HAIRPIN_E2E_ROOT=$root "$here/enter-root.sh" "$@"; fi; }
if [ -z "$python" ] && [ ! -e "$root/.ok" ]; then
  command -v mmdebstrap >/dev/null || { say "neither Python $need nor mmdebstrap (apt-get install mmdebstrap) is here"; exit 3; }
  # shellcheck disable=SC2016 # apt-get expands it.
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)}
  say "Debian $suite with python$need"
  rm -rf "$root"
  mmdebstrap --quiet --mode=root --variant=extract \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="python$need,python$need-venv,libstdc++6,libturbojpeg0,ca-certificates,libc-bin,dash,coreutils,bash,base-files,base-passwd,tzdata,media-types" \
    "$suite" "$root" "$mirror" >&2
  touch "$root/.ok"
fi
if [ -z "$python" ]; then
  mkdir -p "$root/etc/ssl/certs"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  # Only asked for its version, by an integration that others pull in.
  printf '#!/bin/sh\necho "ffmpeg version 7.1.1"\n' | install -m755 /dev/stdin "$root/usr/bin/ffmpeg"
fi
say "Home Assistant $VERSION on ${python:-python$need of Debian $suite}"
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
export UV_CACHE_DIR=$CACHE/uv-cache UV_NO_PROGRESS=1 PIP_FIND_LINKS=
rm -rf "$venv"
inside "${python:-python$need}" -m venv "$venv"
inside "$venv/bin/pip" install -q --disable-pip-version-check uv
inside "$venv/bin/uv" pip install -q --python "$venv/bin/python" "homeassistant==$VERSION"
constraints=$(ls -d "$venv"/lib/python3.*/site-packages/homeassistant/package_constraints.txt)
cp "$here/requirements.py" "$CACHE/requirements-$VERSION.py"
read -ra wanted <<<"$(inside "$venv/bin/python" "$CACHE/requirements-$VERSION.py" \
  mqtt rest rest_command mobile_app conversation tts assist_pipeline cloud webhook stream hassio recorder history logbook)"
add() { inside "$venv/bin/uv" pip install -q --python "$venv/bin/python" -c "$constraints" "$@"; }
# Where one of them has no wheel for this Python, the others are installed one by one.
if ! add "${wanted[@]}" isal zlib-ng 2>/dev/null; then
  skipped=()
  for one in "${wanted[@]}" isal zlib-ng; do add "$one" 2>/dev/null || skipped+=("$one"); done
  say "left out, since there is no wheel: ${skipped[*]}"
fi
# Voice is not tried here; two of its modules are imported all the same.
packages=$(dirname "$(dirname "$constraints")")
[ -e "$packages/pyspeex_noise" ] || echo 'class AudioProcessor: pass' >"$packages/pyspeex_noise.py"
[ -e "$packages/pymicro_vad" ] || echo 'class MicroVad: pass' >"$packages/pymicro_vad.py"
if [ -n "$python" ]; then echo "-"; else echo "$root"; fi | tee "$venv/.ok"
