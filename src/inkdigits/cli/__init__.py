"""The command line: parse, call one function, print. Data goes to stdout, text for people to stderr.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""

from inkdigits.cli.common import app as app
from inkdigits.cli.main import main as main
