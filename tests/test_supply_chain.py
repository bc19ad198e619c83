"""The lock files agree with constraints.txt and pyproject.toml, and the workflow runs no code that can change."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock.txt", "deploy/requirements.lock.txt")
UNLOCKED = {"torch", "pip"}  # torch has other files for each kind of graphics card; pip is there before


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    """Versions by name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==([^\s;\\]+)", (ROOT / file).read_text(), re.MULTILINE)
    return {canonical(name): version for name, version in found}


def wanted(*extras: str) -> set[str]:
    """Names of the packages that the project and its extras ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras or optional for line in optional[extra])]
    return {canonical(re.split(r"[\[><=;]", line)[0]) for line in lines} - UNLOCKED


@pytest.mark.parametrize(("lock", "extras"), [(LOCKS[0], ()), (LOCKS[1], ("serve",))])
def test_the_lock_has_all_packages_in_the_versions_of_the_constraints(lock: str, extras: tuple[str, ...]) -> None:
    locked, constrained = pins(lock), pins("constraints.txt")
    assert wanted(*extras) <= set(locked), "run make lock"
    assert {name: version for name, version in locked.items() if constrained.get(name, version) != version} == {}
    assert not UNLOCKED & set(locked)


def test_every_constraint_is_in_the_lock() -> None:
    assert set(pins("constraints.txt")) - set(pins(LOCKS[0])) <= UNLOCKED, "run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(lock))
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_actions_and_images_are_named_by_their_hash() -> None:
    actions = re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)] == []
    images = re.findall(r"^(?:FROM|ARG BASE=)\s*(\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert [image for image in images if image != "$BASE" and not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []
