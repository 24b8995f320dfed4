"""The page on deployment, the changelog and the licence say what is so."""

import configparser
import re
import shlex
from typing import Any

import pytest

from voicebridge import __version__
from voicebridge.cli.main import EXIT_CONFIG, _parser
from voicebridge.server.webhooks import AFTER_PATH, MEDIA_PATH, VOICE_PATH
from voicebridge.settings import Server


@pytest.fixture
def page(root: Any) -> str:
    return (root / "docs" / "deployment.md").read_text()


@pytest.fixture
def unit(page: str) -> configparser.SectionProxy:
    """The [Service] section of the systemd unit."""
    (text,) = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(text)
    return parser["Service"]


def test_the_table_lists_every_variable_that_the_settings_read(page, variables):
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == variables


def test_the_unit_starts_a_command_that_voicebridge_understands(unit):
    program, *arguments = shlex.split(unit["ExecStart"])
    options = _parser().parse_args(arguments)
    assert program.endswith("/bin/voicebridge")
    assert (options.host, options.port) == ("127.0.0.1", Server().port)
    assert str(options.config) in unit["EnvironmentFile"]


def test_the_unit_waits_as_long_as_compose_does_and_leaves_a_wrong_setting_alone(unit, service):
    assert unit["TimeoutStopSec"] + "s" == service["stop_grace_period"]
    assert unit["RestartPreventExitStatus"] == str(EXIT_CONFIG)


def test_both_proxies_lead_to_the_bridge_and_pass_every_path_of_the_carrier(page):
    caddy, nginx = page.split("### nginx")
    target = f"127.0.0.1:{Server().port}"
    assert f"reverse_proxy {target}" in caddy
    assert set(re.findall(r"proxy_pass (\S+);", nginx)) == {f"http://{target}"}
    assert f"location {MEDIA_PATH} " in nginx
    for path in (VOICE_PATH, AFTER_PATH, MEDIA_PATH):
        assert path.startswith("/twilio/")
    assert f"https://bridge.example.com{VOICE_PATH}" in page


def test_the_changelog_begins_with_this_version(root):
    newest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_the_licence_is_the_one_that_the_package_names(root):
    licence = (root / "LICENSE").read_text()
    assert licence.startswith("MIT License\n\nCopyright (c) 2026 The voicebridge authors\n")
    assert 'license = "MIT"' in (root / "pyproject.toml").read_text()
