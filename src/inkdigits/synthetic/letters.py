"""Which letters and marks may be taken for a digit, and which not."""

LOOK_ALIKES = "OoDQIilj|!/\\ZzSsBbGgqe"
LETTERS = "".join(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in LOOK_ALIKES)
