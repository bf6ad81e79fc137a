"""One engine in its own process, and how long it takes to begin."""

from __future__ import annotations

import inspect
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from numjaz.bench.device import peak_mib
from numjaz.errors import NumjazError
from numjaz.frameworks.interpreter import command, environment

COLD = {
    "numpy": "import numpy as np\nnp.load(X)",
    "numjaz": "import numjaz, numpy as np\nnumjaz.load(FILE + '.npz').predict(np.load(X))",
    "numjaz-h5": "import numjaz, numpy as np\nnumjaz.load(FILE + '.h5').predict(np.load(X))",
    "numjaz-file": "import sys, numpy as np\nsys.path.insert(0, FOLDER)\nimport network\nnetwork.predict(np.load(X))",
    "onnxruntime": (
        "import numpy as np, onnxruntime as ort\n"
        "o = ort.SessionOptions()\n"
        "o.intra_op_num_threads = o.inter_op_num_threads = THREADS\n"
        "s = ort.InferenceSession(FILE + '.onnx', o, providers=['CPUExecutionProvider'])\n"
        "s.run(None, {s.get_inputs()[0].name: np.load(X)})"
    ),
    "torch": (
        "import numpy as np, torch\n"
        "torch.set_num_threads(THREADS)\n"
        "with torch.inference_mode():\n"
        "    torch.jit.load(FILE + '.pt')(torch.from_numpy(np.load(X)))"
    ),
    "litert": (
        "import numpy as np\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        "i = Interpreter(model_path=FILE + '.tflite', num_threads=THREADS)\n"
        "i.allocate_tensors()\n"
        "i.set_tensor(i.get_input_details()[0]['index'], np.load(X))\n"
        "i.invoke()"
    ),
    "keras": (
        "import numpy as np, keras\n"
        "keras.models.load_model(FILE + '.keras', compile=False).predict(np.load(X), verbose=0)"
    ),
}
"""What a user would write: from nothing to the first answer. ``numpy`` is what everybody pays."""

PEAK = f"\n{inspect.getsource(peak_mib)}\nprint(peak_mib())"


def threads_environment(threads: int) -> dict[str, str]:
    """What limits every engine, and NumPy's BLAS, to so many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    return {**dict.fromkeys(names, str(threads)), "TF_NUM_INTEROP_THREADS": "1"}


class Engine:
    """An engine that waits for questions, in the interpreter that has it."""

    def __init__(self, name: str, python: str, path: str, window: int, threads: int) -> None:
        self.name, self.python = name, python
        request = {"engine": name, "path": path, "window": window, "threads": threads}
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed by close()
        try:
            self._process = subprocess.Popen(
                command(python, "timed", request),
                env=environment(**threads_environment(threads)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
        except OSError as error:
            self._said.close()
            raise NumjazError(f"{python}: cannot be run ({error.strerror})") from None
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def ask(self, ask: str, **question: Any) -> Any:
        """Its answer to one question."""
        _pipe(self._process.stdin).write(json.dumps({"ask": ask, **question}) + "\n")
        _pipe(self._process.stdin).flush()
        return self._answer()

    def _answer(self) -> Any:
        line = _pipe(self._process.stdout).readline()
        answer = json.loads(line) if line else {}
        if not line or "error" in answer:
            self._said.seek(0)
            last = next((row.strip() for row in reversed(self._said.readlines()) if row.strip()), "nothing")
            raise NumjazError(f"{self.name} in {self.python}: {answer.get('error', f'ended, saying {last:.200}')}")
        return answer

    def close(self) -> None:
        """End its process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def cold_start(name: str, python: str, folder: Path, threads: int) -> tuple[float, float]:
    """Seconds from starting an interpreter to its end with the first answer, and the most memory in MiB."""
    names = (str(folder), str(folder / "network"), str(folder / "x.npy"), threads)
    head = f"FOLDER, FILE, X, THREADS = {names!r}\n"
    started = time.perf_counter()
    ended = subprocess.run(
        [python, "-c", head + COLD[name] + PEAK],
        env=environment(**threads_environment(threads)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    took = time.perf_counter() - started
    if ended.returncode:
        raise NumjazError(f"{name} in {python} ended with {ended.returncode} before its first answer")
    return took, float(ended.stdout.split()[-1])
