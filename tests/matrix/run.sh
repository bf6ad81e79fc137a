#!/usr/bin/env bash
# Make the matrix of docs/weight-files.md anew: bash tests/matrix/run.sh [ENVIRONMENTS [OUT]]
#
# Each writer has an environment of its own under the folder ENVIRONMENTS; one that is there is used as it is. They
# need Python 3.11, the newest that TensorFlow 2.12 knows (PYTHON names another one). OUT keeps what they write.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=2 TF_CPP_MIN_LOG_LEVEL=3 PIP_ROOT_USER_ACTION=ignore
environments=${1:-.venv-matrix}
out=${2:-$(mktemp -d)}

# environment NAME PACKAGE…
environment() {
  python=$environments/$1/bin/python
  if [ ! -x "$python" ]; then
    "${PYTHON:-python3}" -m venv "$environments/$1"
    "$python" -m pip install -q "${@:2}"
  fi
}

# writer SCRIPT NAME PACKAGE…
writer() {
  environment "${@:2}"
  printf '== %s (%s s)\n' "$2" "$SECONDS"
  "$python" -W ignore "tests/matrix/write_$1.py" "$out"
}

writer keras tf-2.12 tensorflow-cpu==2.12.1
writer keras tf-2.13 tensorflow-cpu==2.13.1
writer keras tf-2.14 tensorflow-cpu==2.14.1
writer keras tf-2.15 tensorflow-cpu==2.15.1 keras==2.15.0
writer keras keras-3.0 tensorflow-cpu==2.16.1 keras==3.0.5
writer keras keras-current tensorflow-cpu keras
writer torch torch-1.13 torch==1.13.1 'numpy<2' safetensors
writer torch torch-2.13 torch==2.13.0 numpy safetensors

environment reader numpy scipy h5py safetensors
printf '== numjaz (%s s)\n' "$SECONDS"
"$python" tests/matrix/report.py "$out"
