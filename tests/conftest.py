"""What of the tests' folder is no test, and how long property tests search (``--hypothesis-profile=search``, ``long``)."""

import signal

from hypothesis import settings

collect_ignore_glob = ["fixtures/*.py", "matrix/*.py", "keras_*.py", "torch_networks.py", "attacks/measured.py"]

settings.register_profile("short", deadline=None, derandomize=True)  # a change fails or passes for its own reasons
settings.register_profile("few", deadline=None, derandomize=True, max_examples=10)  # where all is emulated
settings.register_profile("search", deadline=None)
settings.register_profile("long", deadline=None, max_examples=3000)
settings.load_profile("short")

# Who starts the tests in the background may have told them to take no notice of an interrupt, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
