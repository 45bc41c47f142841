#!/bin/sh
# Creates the virtual environment and installs finescale with all that its tests need.
# Names every missing prerequisite, with what to install, before anything is created.
set -eu

venv=${1:?usage: bootstrap.sh VENV}
python=${PYTHON:-python3}
cxx=${CXX:-g++}
missing=''

need() { # need WHAT PACKAGES
    echo "finescale: missing: $1 (Debian, Ubuntu: apt-get install $2)" >&2
    missing=yes
}

if ! command -v "$python" >/dev/null 2>&1; then
    need "Python >= 3.11" "python3 python3-venv libpython3-dev"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    need "Python >= 3.11 ($python is $("$python" -V 2>&1)); name another with PYTHON=..." python3
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need "Python's venv module" python3-venv
    "$python" - <<'PY' || need "Python's shared library" libpython3-dev
import ctypes
import pathlib
import sys
import sysconfig

names = {sysconfig.get_config_var(v) for v in ("INSTSONAME", "LDLIBRARY")}
version = "{}.{}".format(*sys.version_info[:2])
names |= {f"libpython{version}.so.1.0", f"libpython{version}.so", f"libpython{version}.dylib"}
folders = {sysconfig.get_config_var(v) for v in ("LIBDIR", "LIBPL")} | {""}
for name in filter(None, names):
    if name.endswith(".a"):
        continue
    for folder in folders:
        try:
            ctypes.CDLL(str(pathlib.Path(folder or "") / name))
            sys.exit(0)
        except OSError:
            pass
sys.exit(1)
PY
fi
command -v "$cxx" >/dev/null 2>&1 || need "a C++ compiler ($cxx; name another with CXX=...)" g++
command -v make >/dev/null 2>&1 || need "make" make
[ -z "$missing" ] || exit 2

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing finescale and its tools into $venv ..."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]'
