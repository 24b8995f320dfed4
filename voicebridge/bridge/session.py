"""From a persona to the session asked of the model, and the check of what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from voicebridge.call.tool_calls import Approval
from voicebridge.errors import SessionMismatch
from voicebridge.personas.hosted_mcp import HostedMcpServer
from voicebridge.personas.persona import Persona, SemanticVad
from voicebridge.personas.references import filled_in
from voicebridge.realtime import (
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    AudioTranscription,
    FunctionTool,
    McpTool,
    NoiseReduction,
    Session,
)
from voicebridge.realtime import SemanticVad as WireSemanticVad
from voicebridge.realtime import ServerVad as WireServerVad
from voicebridge.tools.tool import Tool


def session_for(
    persona: Persona,
    tools: Sequence[Tool],
    *,
    server_answers: bool,
    secrets: Mapping[str, SecretStr] | None = None,
) -> Session:
    """Write the session of a persona: telephone audio both ways, so that nothing is transcoded.

    ``server_answers``: whether the server itself stops its response when the caller speaks and
    makes the next one; otherwise we do both. ``secrets`` are what the persona refers to.
    """
    heard = AudioInput(
        format=AudioFormat.G711_ULAW,
        turn_detection=_turn_detection(persona, server_answers),
        transcription=_transcription(persona),
    )
    if persona.noise_reduction:
        heard.noise_reduction = NoiseReduction(type=persona.noise_reduction)
    spoken = AudioOutput(format=AudioFormat.G711_ULAW, voice=persona.voice)
    if persona.speed is not None:
        spoken.speed = persona.speed
    return Session(
        instructions=persona.session_instructions(),
        output_modalities=["audio"],
        audio=Audio(input=heard, output=spoken),
        tools=[
            FunctionTool(name=tool.name, description=tool.description, parameters=tool.parameters)
            for tool in tools
        ]
        + [_hosted(server, secrets or {}) for server in persona.mcp_servers],
        tool_choice="auto",
    )


def approvals_of(persona: Persona) -> dict[str, Approval]:
    """Return how the servers that ask before they call a tool are answered, by their labels."""
    return {
        server.label: server.approval
        for server in persona.mcp_servers
        if server.approval != "unneeded"
    }


def _hosted(server: HostedMcpServer, secrets: Mapping[str, SecretStr]) -> McpTool:
    """Write an MCP server with the tools that it may offer."""
    hosted = McpTool(
        server_label=server.label,
        server_url=server.url,
        allowed_tools=list(server.tools),
        require_approval="never" if server.approval == "unneeded" else "always",
    )
    if server.description:
        hosted.server_description = server.description
    if server.authorization:
        hosted.authorization = filled_in(server.authorization, secrets)
    return hosted


def _turn_detection(persona: Persona, server_answers: bool) -> WireServerVad | WireSemanticVad:
    wished = persona.turn_detection
    if isinstance(wished, SemanticVad):
        return WireSemanticVad(
            eagerness=wished.eagerness,
            create_response=server_answers,
            interrupt_response=server_answers,
        )
    return WireServerVad(
        threshold=wished.threshold,
        prefix_padding_ms=wished.prefix_padding_ms,
        silence_duration_ms=wished.silence_duration_ms,
        create_response=server_answers,
        interrupt_response=server_answers,
    )


def _transcription(persona: Persona) -> AudioTranscription | None:
    if persona.transcription_model is None:
        return None
    wished = AudioTranscription(model=persona.transcription_model)
    if persona.language:
        wished.language = persona.language
    return wished


def check_formats(session: Session) -> None:
    """Make sure that the server speaks telephone audio both ways.

    A server that leaves a format out is taken at its word; one that names another would be heard
    as noise. Raises ``SessionMismatch``.
    """
    for side, name in (("input", session.input_format), ("output", session.output_format)):
        if name is not None and name != AudioFormat.G711_ULAW:
            raise SessionMismatch(
                f"the server runs {name} as its {side} audio format, g711_ulaw was asked for; "
                "check realtime.dialect and realtime.url"
            )
