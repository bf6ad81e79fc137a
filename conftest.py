"""Where a framework is missing, the modules that import it are no tests."""

from importlib.util import find_spec

collect_ignore_glob = [f"numjaz/frameworks/{name}*.py" for name in ("torch", "keras") if find_spec(name) is None]
