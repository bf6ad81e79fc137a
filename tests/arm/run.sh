#!/usr/bin/env bash
# numjaz on Debian 12's own Python for small devices, emulated: bash tests/arm/run.sh [armhf|arm64 …]
#
# Each architecture has a root of Debian's packages under the folder NUMJAZ_ARM (.arm); one that is there is used as it
# is. It is made and entered by the superuser, and needs: apt-get install debootstrap qemu-user-static. PYTHON names the
# Python here whose results are compared.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- armhf arm64
roots=${NUMJAZ_ARM:-.arm}
python=${PYTHON:-.venv-keras3/bin/python}
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
declare -A emulators=([armhf]=/usr/bin/qemu-arm-static [arm64]=/usr/bin/qemu-aarch64-static)

# built ARCHITECTURE: its root, whole or not at all
built() {
  local emulator=${emulators[$1]} root=$roots/$1.partial
  [ ! -d "$roots/$1" ] || return 0
  mkdir -p "$roots"
  rm -rf "$root"
  debootstrap --foreign --arch="$1" --variant=minbase \
    --include=python3-h5py,python3-scipy,python3-pytest,python3-hypothesis bookworm "$root" >"$root.log"
  # debootstrap's second stage would be emulated, and needs the kernel to know the emulator. Unpacked is enough.
  for package in "$root"/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory="$root"
  done
  ln -s blas/libblas.so.3 lapack/liblapack.so.3 "$root"/usr/lib/*-linux-gnu*/
  # Tests start programs, and the kernel need not know the emulator here either: each is a script that begins with it.
  mkdir "$root/emulated" "$root/numjaz" "$root/mnt"
  cp "$emulator" "$root/usr/bin"
  for program in dash head sleep python3.11; do
    mv "$root/usr/bin/$program" "$root/emulated"
    printf '#!%s /emulated/dash\nexec %s -0 "$0" /emulated/%s "$@"\n' "$emulator" "$emulator" "$program" \
      >"$root/usr/bin/$program"
    chmod +x "$root/usr/bin/$program"
  done
  rm -rf "$root/proc" "$root/var/cache/apt/archives"
  mkdir "$root/proc"
  mv "$root" "$roots/$1"
}

# inside ARCHITECTURE COMMAND…: with the checkout at /numjaz and $kept at /mnt
inside() {
  # shellcheck disable=SC2016  # for the inner shell
  unshare --mount sh -euc '
    root=$1 kept=$2; shift 2
    mount --rbind /dev "$root/dev"
    mount --rbind /proc "$root/proc"
    mount --bind . "$root/numjaz"
    mount --bind "$kept" "$root/mnt"
    exec env -i PATH=/usr/sbin:/usr/bin HOME=/mnt TMPDIR=/mnt LANG=C.UTF-8 NUMJAZ_EMULATED=1 PYTHONDONTWRITEBYTECODE=1 \
      PYTHONUNBUFFERED=1 chroot "$root" sh -c "cd /numjaz; exec \"\$@\"" sh "$@"
  ' sh "$roots/$1" "$kept" "${@:2}"
}

# What an emulator takes too long for: what is done at a desk, the largest network, blocks that are filled up for a few
# windows, and hostile files that are refused before NumPy sees them.
networks=tests/test_engine.py::TestNetworks
left_out=(-k 'not cnn-bigru' --deselect=tests/test_{audit,bench,claims_files,compare,diagnosis,fitting,isolated,sides}.py
  --deselect=tests/test_{classifier,judging,metrics,other_training,pictures,plot,store,training_page}.py
  --deselect=$networks::test_bits_do_not_depend_on_how_windows_are_split'['{16,64}
  --deselect=$networks::test_it_says_what_it_does'[64'
  --deselect=tests/attacks/test_{configs,tensor_attacks}.py)

printf '== what the networks give here (%s s)\n' "$SECONDS"
$python tests/arm/agree.py write "$kept"
for each in "$@"; do
  built "$each"
  printf '\n== %s (%s s)\n' "$each" "$SECONDS"
  inside "$each" python3 -c 'import os, sys, numpy, scipy, h5py
print(os.uname().machine, sys.version, numpy.__version__, scipy.__version__, h5py.__version__)'
  inside "$each" python3 tests/arm/agree.py compare /mnt
  printf '== its tests (%s s), without %s\n' "$SECONDS" "${left_out[*]}"
  inside "$each" python3 -m pytest -q -p no:cacheprovider --hypothesis-profile=few "${left_out[@]}"
done
