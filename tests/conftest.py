"""What of the tests' folder is no test."""

collect_ignore_glob = ["fixtures/*.py", "keras_oracle.py", "attacks/measured.py"]
