"""Schemathesis sends requests that the OpenAPI document allows and others that it does not, and checks every answer."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def test_every_answer_matches_the_openapi_document(served: Any, hooks: Path, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{served.url}/openapi.json",
        "--checks",
        "all",
    ]
    command += ["--seed", "6", "--max-examples", "5", "--phases", "coverage,fuzzing"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": hooks.stem, "PYTHONPATH": str(hooks.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout[-6000:]
