"""Training and judging. This version judges: figures over people, with intervals."""
