"""docs/rehearsals.md shows a rehearsal that is shipped, hence played, and every key there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from voicebridge.rehearsal.carrier_side import CarrierSide, OutboundCall
from voicebridge.rehearsal.expect import Expect, ExpectedAction, ExpectedRequest, ExpectedSound
from voicebridge.rehearsal.model_side import ModelSide
from voicebridge.rehearsal.scenario import AgentStep, CallerStep, Scenario

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "rehearsals.md").read_text("utf-8")


def test_the_file_that_is_shown_is_the_one_that_is_played() -> None:
    ((name, text),) = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert text == (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize(
    "model",
    [
        *(Scenario, CallerStep, AgentStep, ModelSide, CarrierSide, OutboundCall),
        *(Expect, ExpectedAction, ExpectedRequest, ExpectedSound),
    ],
    ids=lambda model: str(model.__name__),
)
def test_every_key_is_told(model: type[BaseModel]) -> None:
    missing = [
        name
        for name in model.model_fields
        if not re.search(rf"`{name}[`:]|^ *{name}:", PAGE, re.MULTILINE)
    ]
    assert missing == []
