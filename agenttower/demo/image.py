"""Bench images for demo and tests, made from Debian packages and imported into an engine.

No registry of images is asked. The packages come from the archive that this machine's own apt
uses; ``AGENTTOWER_BENCH_MIRROR`` names another one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from agenttower.demo.programs import find_program, search_path
from agenttower.errors import AgentTowerError
from agenttower.private import private_directory

REPOSITORY = "agenttower-bench"
SUITES = ("bookworm", "trixie")
RECIPE_LABEL = "agenttower.recipe"
MIRROR_VARIABLE = "AGENTTOWER_BENCH_MIRROR"

BUILD_SECONDS = 600.0
CLEAN_UP_SECONDS = 20.0

BENCH_USER = "bench"
PACKAGES = ("passwd", "procps", "python3", "tmux")
_LEFT_OUT = ("doc", "info", "locale", "man")
_OPTIONS = (
    "--variant=essential",
    f"--include={','.join(PACKAGES)}",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
    f'--customize-hook=chroot "$1" useradd --create-home --shell /bin/bash --uid 1000 {BENCH_USER}',
)
_PASSED_ON = ("HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy")
"""All that a build may see: a PYTHON… variable of ours would reach the packages' own scripts."""
_CHANGES = ('CMD ["sleep", "infinity"]',)


class ImageNotBuilt(AgentTowerError):
    """The bench image could not be made; the message says why and what to do."""

    code = "docker_failed"


def image_name(suite: str) -> str:
    """``agenttower-bench:<suite>``."""
    return f"{REPOSITORY}:{suite}"


def ensure_image(
    client: docker.DockerClient,
    suite: str,
    cache_dir: Path,
    say: Callable[[str], None] = lambda line: None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Have the bench image of a Debian suite in the engine, and return its name.

    Nothing is done where the engine has an image of this recipe. Else the file system is taken
    from ``cache_dir``, or built there first (about 20 s).

    :param suite: one of :data:`SUITES`.
    :param say: told one line of progress at a time.
    :raises ImageNotBuilt: the tools or the packages are missing, or the engine refused the image.
    """
    recipe = _recipe(suite)
    name = image_name(suite)
    with suppress(ImageNotFound):
        if client.images.get(name).labels.get(RECIPE_LABEL) == recipe:
            return name
    rootfs = cache_dir / f"{suite}-{recipe}.tar"
    if not rootfs.exists():
        say(f"building bench image {name} from Debian packages (once, about 20 s)")
        _build_rootfs(suite, rootfs, environ)
    say(f"importing bench image {name}")
    try:
        client.api.import_image(
            str(rootfs),
            repository=REPOSITORY,
            tag=suite,
            changes=[*_CHANGES, f"LABEL {RECIPE_LABEL}={recipe}"],
        )
        client.images.get(name)
    except (APIError, ImageNotFound) as error:
        raise ImageNotBuilt(
            f"the engine did not import {name}: {error}; look for free disk space"
        ) from error
    return name


def _recipe(suite: str) -> str:
    if suite not in SUITES:
        raise ValueError(f"suite {suite!r} is not one of {', '.join(SUITES)}")
    text = "\0".join((suite, platform.machine(), *_OPTIONS, *_CHANGES))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _build_rootfs(suite: str, rootfs: Path, environ: Mapping[str, str]) -> None:
    mmdebstrap = find_program("mmdebstrap")
    if mmdebstrap is None:
        raise ImageNotBuilt(
            "mmdebstrap not found, so no bench image can be built; "
            "run 'make setup' as root (Debian: apt-get install mmdebstrap)"
        )
    private_directory(rootfs.parent)
    partial = rootfs.with_suffix(f".{os.getpid()}.tar")
    mirror = environ.get(MIRROR_VARIABLE) or _machine_mirror()
    clean = {name: environ[name] for name in _PASSED_ON if name in environ}
    clean |= {"LC_ALL": "C.UTF-8", "PATH": search_path()}
    try:
        status, said = _run(
            [mmdebstrap, *_OPTIONS, suite, str(partial), *([mirror] if mirror else [])], clean
        )
        if status != 0:
            reasons = [line for line in said.splitlines() if line.startswith(("E:", "W:"))]
            raise ImageNotBuilt(
                f"mmdebstrap could not build {suite}: {' | '.join(reasons) or said[-400:]}; "
                f"check that apt works here, or name a Debian mirror in {MIRROR_VARIABLE}"
            )
        partial.rename(rootfs)
    finally:
        partial.unlink(missing_ok=True)


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a program that must be allowed to clean up; its status, and what it said of errors."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environ,
        start_new_session=True,  # Ctrl-C is for us, who then ask it to end.
    ) as process:
        try:
            _, said = process.communicate(timeout=BUILD_SECONDS)
        except subprocess.TimeoutExpired:
            _end(process)
            return -1, f"not done after {BUILD_SECONDS:.0f} s"
        except BaseException:
            _end(process)
            raise
    return process.returncode, said


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(CLEAN_UP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _machine_mirror() -> str | None:
    """The Debian archive in this machine's apt sources; ``None`` leaves it to mmdebstrap.

    Security and update suites have a ``-`` in their names, flat repositories a ``/``.
    """
    argv = [
        *("apt-get", "indextargets", "--format", "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)"),
        "Created-By: Packages",
    ]
    try:
        listed = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    for line in listed.stdout.splitlines():
        uri, release, component = line.split("\t")
        if component == "main" and "/debian" in uri and not {"-", "/"} & {*release}:
            return uri
    return None
