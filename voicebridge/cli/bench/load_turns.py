"""Who is measured, and in which order: contestants in turn, so that a bad minute hits them all."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from voicebridge.cli.bench.load_ramp import MOST, Ramp, climb
from voicebridge.cli.bench.load_run import Contestant, Ground, certificate_in, run_once
from voicebridge.errors import ConfigError
from voicebridge.rehearsal.load_figures import LoadFigures
from voicebridge.settings import FILE_NAME, TRANSPORT_VARIABLE

FLOOR = Path("tests/bench/floor_relay.py")
OURS = "voicebridge"
TRANSPORTS = ("picows", "aiohttp", "websockets")

Tell = Callable[[str, LoadFigures], None]
Runs = dict[str, list[LoadFigures]]


async def ground_for(options: argparse.Namespace, folder: Path) -> Ground:
    """Choose the cores, and make a certificate where one is wanted."""
    cores = _cores()
    _lift_file_limit()
    certificate = await certificate_in(folder) if options.tls else None
    return Ground(folder, cores[0], cores[1], certificate)


def contestants(options: argparse.Namespace, folder: Path) -> list[Contestant]:
    """List who is to be measured, ourselves first."""
    beside = options.beside or []
    transports = TRANSPORTS if "transports" in beside else tuple(dict.fromkeys(options.transport))
    ours = [bridge(folder, options.config, transport) for transport in transports or (None,)]
    return [*ours, _floor()] if "floor" in beside else ours


def bridge(folder: Path, config_dir: Path, transport: str | None = None) -> Contestant:
    """Make a contestant of our own bridge, with a configuration that takes enough calls."""
    config = folder / "config"
    shutil.copytree(config_dir / "personas", config / "personas", dirs_exist_ok=True)
    written = yaml.safe_load((config_dir / FILE_NAME).read_text(encoding="utf-8")) or {}
    server = written.setdefault("server", {})
    server |= {"max_calls": max(MOST, server.get("max_calls", 0)), "shutdown_grace_s": 0}
    (config / FILE_NAME).write_text(yaml.safe_dump(written), encoding="utf-8")
    serve = (sys.executable, "-m", "voicebridge", "serve", "--insecure", "--port", "0")
    command = (*serve, "--config", str(config))
    if transport is None:
        return Contestant(OURS, command)
    return Contestant(f"{OURS}, {transport}", command, {TRANSPORT_VARIABLE: transport})


async def take_turns(
    them: list[Contestant], ground: Ground, options: argparse.Namespace, tell: Tell
) -> Runs:
    """Measure each as often as is wanted, for each number of calls."""
    runs: Runs = {one.name: [] for one in them}
    for calls in options.calls:
        for _ in range(options.turns):
            for one in them:
                figures = await run_once(one, ground, calls, options.seconds)
                runs[one.name].append(figures)
                tell(one.name, figures)
    return runs


async def ramps(
    them: list[Contestant], ground: Ground, options: argparse.Namespace, tell: Tell
) -> dict[str, Ramp]:
    """Find the most calls of each."""
    found: dict[str, Ramp] = {}
    for one in them:

        async def run(calls: int, one: Contestant = one) -> LoadFigures:
            figures = await run_once(one, ground, calls, options.seconds)
            tell(one.name, figures)
            return figures

        found[one.name] = await climb(run)
    return found


def _floor() -> Contestant:
    if not FLOOR.exists():
        raise ConfigError(f"{FLOOR} is part of the source tree: run this in a checkout")
    return Contestant("floor", (sys.executable, str(FLOOR), "{model_url}"))


def _lift_file_limit() -> None:
    """Allow as many sockets as may be allowed: each call takes two at either end."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _cores() -> list[int]:
    if not hasattr(os, "sched_getaffinity"):
        raise ConfigError("this bench reads /proc and pins processes to cores: it needs Linux")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ConfigError("this bench needs two cores: one for the bridge, one for the calls")
    return cores[:2]
