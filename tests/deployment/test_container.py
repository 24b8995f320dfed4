"""The container's files keep what they promise; held against the code, not against themselves."""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web

from voicebridge.bridge.registry import CallRegistry
from voicebridge.cli.main import _parser
from voicebridge.server.app import create_app
from voicebridge.server.running import SHUTDOWN_WITHIN_S, load_switchboard
from voicebridge.settings import load_settings

COMPOSE_GENERATIONS = ("docker-compose", "docker compose")


@pytest.fixture
def app(root: Path) -> web.Application:
    settings = load_settings(root / "config", {"TWILIO_AUTH_TOKEN": "a-token"})
    return create_app(load_switchboard(settings))


@pytest.fixture
def options(dockerfile: Any) -> Any:
    program, *arguments = dockerfile.command
    assert program == "voicebridge"
    return _parser().parse_args(arguments)


def health_url(command: list[str]) -> str:
    (url,) = re.findall(r"http://[^'\"]+", " ".join(command))
    return url


def test_the_user_of_the_image_is_a_number_that_is_not_root(dockerfile):
    user, group = dockerfile.one("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_image_installs_the_package_plain_without_extras(dockerfile):
    (install,) = (run for run in dockerfile.all("RUN", stage=0) if "pip install" in run)
    words = shlex.split(install)
    assert [word for word in words[words.index("install") + 1 :] if word[0] != "-"] == ["."]


def test_the_command_of_the_image_is_one_that_voicebridge_understands(dockerfile, options):
    assert options.run.__name__ == "_serve"
    assert options.host == "0.0.0.0"
    assert not options.insecure
    assert str(options.port) == dockerfile.one("EXPOSE")


def test_the_command_reads_the_configuration_that_is_copied(dockerfile, options):
    copied = [text.split() for text in dockerfile.all("COPY")]
    assert ["config", str(options.config)] in copied


def test_the_health_check_asks_a_path_that_the_app_serves(dockerfile, options, app):
    url = urlsplit(health_url(dockerfile.health_command))
    gets = {
        route.resource.canonical
        for route in app.router.routes()
        if route.method == "GET" and route.resource is not None
    }
    assert url.path in gets
    assert (url.hostname, url.port) == ("127.0.0.1", options.port)


def test_the_build_sees_what_it_copies_and_nothing_secret(root, dockerfile):
    lines = (root / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    copied: set[str] = set()
    for stage in (0, -1):
        for text in dockerfile.all("COPY", stage):
            if not text.startswith("--from"):
                copied.update(text.split()[:-1])
    assert copied == allowed
    assert all((root / name).exists() for name in copied)
    assert not any(fnmatch.fnmatch(".env", name) for name in allowed)


def test_compose_passes_every_variable_that_the_settings_read(service, variables):
    assert variables
    assert service["environment"] == {name: f"${{{name}:-}}" for name in variables}


def test_compose_asks_after_health_as_the_image_does(dockerfile, service):
    assert service["healthcheck"]["test"] == ["CMD", *dockerfile.health_command]
    options = dict(re.findall(r"--([a-z-]+)=(\S+)", dockerfile.one("HEALTHCHECK")))
    written = {key: str(value) for key, value in service["healthcheck"].items() if key != "test"}
    assert written == {key.replace("-", "_"): value for key, value in options.items()}


def test_compose_publishes_the_port_of_the_image_on_loopback_only(service, options):
    assert service["ports"] == [f"127.0.0.1:{options.port}:{options.port}"]


async def test_compose_stops_later_than_the_bridge_needs(root, service, monkeypatch):
    waits: list[float] = []

    async def drain(_self: CallRegistry, grace_s: float, goodbye_s: float) -> None:
        waits.extend((grace_s, goodbye_s))

    monkeypatch.setattr(CallRegistry, "drain", drain)
    settings = load_settings(root / "config", {})
    await load_switchboard(settings).drain()
    assert waits[0] == settings.server.shutdown_grace_s
    patience_s = float(service["stop_grace_period"].removesuffix("s"))
    assert patience_s > sum(waits) + SHUTDOWN_WITHIN_S


def test_compose_gives_the_container_no_more_than_it_needs(service):
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "network_mode", "cap_add", "entrypoint", "command"} & set(
        service
    )


def test_compose_mounts_the_configuration_and_a_folder_that_the_user_owns(
    root, dockerfile, service, options
):
    config, records = (volume.split(":") for volume in service["volumes"])
    assert config == ["./config", str(options.config), "ro"]
    volume, folder = records
    assert volume in yaml.safe_load((root / "docker-compose.yml").read_text())["volumes"]
    assert any(
        "--owner=voicebridge" in run and run.endswith(folder) for run in dockerfile.all("RUN")
    )
    # A relative records.directory is seen from the working directory.
    assert PurePosixPath(folder).parent == PurePosixPath(dockerfile.one("WORKDIR"))
    assert PurePosixPath(folder).name == "calls"


@pytest.mark.parametrize("generation", COMPOSE_GENERATIONS)
def test_compose_itself_accepts_the_file(root, generation, variables):
    def compose(*words: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {name: f"value-of-{name}" for name in variables}
        command = [*generation.split(), *words]
        return subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, timeout=20, check=False
        )

    if not shutil.which(generation.split()[0]) or compose("version").returncode != 0:
        pytest.skip(f"{generation} is not on this machine")
    done = compose("-f", "docker-compose.yml", "config")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    (service,) = yaml.safe_load(done.stdout)["services"].values()
    assert service["environment"] == {name: f"value-of-{name}" for name in variables}
