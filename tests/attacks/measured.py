"""Run a command and say, as JSON, how it ended, how long it computed and how much memory it held.

A process that starts another is counted with it until the other runs, so this launcher is small. The seconds
are the processor's: what else runs on the machine does not make a refusal slow, and who starts this ends what waits.
"""

import json
import os
import subprocess
import sys

child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
out, err = child.stdout.read(), child.stderr.read()
_, status, usage = os.wait4(child.pid, 0)
print(
    json.dumps(
        {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": usage.ru_utime + usage.ru_stime,
            "resident_mb": usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
            "out": out.decode(),
            "err": err.decode(),
        }
    )
)
