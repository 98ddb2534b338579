#!/usr/bin/env bash
# Installs a real Home Assistant Core, version $1, below $E2E_HOME. Idempotent: about a minute the first time, nothing afterwards.
# 2026 wants Python 3.14: where the machine has none, a Debian "forky" root brings it (mmdebstrap, as root), used through chroot.sh.
# 2025.4.4 is the newest for Python 3.13.0, 2025.1.4 for 3.12.
set -euo pipefail
version=${1:?a version of Home Assistant}
: "${E2E_HOME:?}"
here=$(cd "$(dirname "$0")" && pwd)
# Besides what Home Assistant sets up by itself; stream and hassio are imported by camera and analytics.
extra="mqtt rest rest_command mobile_app conversation tts assist_pipeline cloud webhook stream hassio"
say() { echo "[home-assistant] $*" >&2; }
need=3.14 fits='import sys;sys.exit(sys.version_info<(3,14,2))'
case $version in
  2025.1.*) need=3.12 fits='import sys;sys.exit(sys.version_info[:2]!=(3,12))' ;;
  2025.[234].*) need=3.13 fits='import sys;sys.exit(sys.version_info[:2]!=(3,13))' ;;
esac
venv=$E2E_HOME/venv-$version
if [ -e "$venv/.ok" ]; then exit 0; fi
mkdir -p "$E2E_HOME"
python=""
for candidate in "$HOME"/.pyenv/versions/"$need"*/bin/python3 "python$need" python3; do
  if path=$(command -v "$candidate" 2>/dev/null) && "$path" -c "$fits" 2>/dev/null; then python=$path; break; fi
done
run() { if [ -n "$python" ]; then "$@"; else "$here/chroot.sh" "$@"; fi; }
if [ -z "$python" ]; then
  if [ "$need" != 3.14 ]; then say "Home Assistant $version wants Python $need, which this machine lacks"; exit 3; fi
  if [ ! -e "$E2E_HOME/root/.ok" ]; then
    command -v mmdebstrap >/dev/null || { say "mmdebstrap is wanted: apt install mmdebstrap"; exit 3; }
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
    say "a Debian root with Python 3.14 in $E2E_HOME/root"
    rm -rf "${E2E_HOME:?}/root"
    mmdebstrap --quiet --mode=root --variant=extract \
      --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --include=python3.14,python3.14-venv,libstdc++6,libturbojpeg0,ca-certificates,libc-bin,dash,coreutils,bash,base-files,base-passwd,tzdata,media-types \
      forky "$E2E_HOME/root" "$mirror" >&2
    touch "$E2E_HOME/root/.ok"
  fi
  mkdir -p "$E2E_HOME/root/etc/ssl/certs" "$E2E_HOME/root$E2E_HOME"
  cp -L /etc/resolv.conf /etc/hosts "$E2E_HOME/root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$E2E_HOME/root/etc/ssl/certs/"
  interpreter=python3.14
else interpreter=$python; fi
say "Home Assistant $version, with ${python:-Python 3.14 of the Debian root}"
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt UV_CACHE_DIR=$E2E_HOME/uv-cache UV_NO_PROGRESS=1
run "$interpreter" -m venv "$venv"
run "$venv/bin/pip" install -q --disable-pip-version-check uv
run "$venv/bin/uv" pip install -q --python "$venv/bin/python" "homeassistant==$version"
constraints=$(ls "$venv"/lib/python3.*/site-packages/homeassistant/package_constraints.txt)
cp "$here/requirements.py" "$E2E_HOME/requirements.py"
# shellcheck disable=SC2086
wanted=$(run "$venv/bin/python" "$E2E_HOME/requirements.py" $extra)
install() { run "$venv/bin/uv" pip install -q --python "$venv/bin/python" -c "$constraints" "$@"; }
# shellcheck disable=SC2086
if ! install $wanted isal zlib-ng 2>/dev/null; then
  # One of them has no wheel for this Python: the others, one by one.
  skipped=""
  for each in $wanted isal zlib-ng; do install "$each" 2>/dev/null || skipped+=" $each"; done
  say "no wheel, left out:$skipped"
fi
# assist_pipeline imports these two and they have no wheel for 3.14: empty stand-ins keep the log clean (there is no voice here).
packages=$(dirname "$(dirname "$constraints")")
[ -e "$packages/pyspeex_noise" ] || echo 'class AudioProcessor: pass' >"$packages/pyspeex_noise.py"
[ -e "$packages/pymicro_vad" ] || echo 'class MicroVad: pass' >"$packages/pymicro_vad.py"
# The ffmpeg integration only asks for a version.
if [ -z "$python" ]; then printf '#!/bin/sh\necho "ffmpeg version 7.1.1"\n' | install -m755 /dev/stdin "$E2E_HOME/root/usr/bin/ffmpeg"; fi
touch "$venv/.ok"
say "installed: $(du -sh "$venv" | cut -f1)"
