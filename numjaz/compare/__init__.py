"""Whether weights mean the same in two places, where they part, and why."""
