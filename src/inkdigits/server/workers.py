"""How worker processes start. It imports nothing that knows the layouts, since plug-ins may register more of them."""

from collections.abc import Callable
from pathlib import Path

from inkdigits.isolation import Handler

Prepare = Callable[[], None] | None


def crop_worker(model: Path | None, prepare: Prepare) -> Handler:
    """Return :func:`inkdigits.server.jobs.crop_jobs` of a model; ``prepare`` is called first and loads the plug-ins."""
    if prepare is not None:
        prepare()
    from inkdigits.server.jobs import crop_jobs  # the schemas of requests name the layouts

    return crop_jobs(model)


def page_worker(model: Path | None, prepare: Prepare) -> Handler:
    """Return :func:`inkdigits.server.jobs.page_jobs` of a model; ``prepare`` is called first and loads the plug-ins."""
    if prepare is not None:
        prepare()
    from inkdigits.server.jobs import page_jobs

    return page_jobs(model)
