"""Execute notebooks in place: ``python notebooks/execute.py notebooks/*.ipynb``. INKDIGITS_QUICK=1 shortens training."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def execute(path: Path) -> nbformat.NotebookNode:
    """Execute the notebook at ``path`` and return it; an error in a cell is raised."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # execution times change with every run
        if cell.cell_type == "code":  # warnings contain local paths
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output["data"].pop("image/jpeg", None)  # a second copy of the picture
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:]:
        nbformat.write(execute(Path(name)), name)
        sys.stderr.write(f"{name} executed\n")
