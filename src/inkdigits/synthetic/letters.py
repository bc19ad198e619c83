"""Letters and marks that look like a digit in some handwriting, and letters that do not."""

LOOK_ALIKES = "OoDQIilj|!/\\ZzSsBbGgqe"
LETTERS = "".join(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in LOOK_ALIKES)
