"""A call's commands as the realtime client's events."""

from __future__ import annotations

from voicebridge.call import commands as do
from voicebridge.realtime import (
    AssistantMessage,
    ClientEvent,
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemTruncateEvent,
    FunctionCall,
    FunctionCallOutput,
    McpApprovalResponse,
    ResponseCancelEvent,
    ResponseCreateEvent,
    ResponseCreateParams,
    SystemMessage,
    UserMessage,
    input_text,
    output_text,
)

ModelCommand = (
    do.CreateResponse
    | do.CancelResponse
    | do.TruncateItem
    | do.DeleteItem
    | do.SendToolCall
    | do.SendToolOutput
    | do.AnswerApproval
    | do.SendUserText
    | do.SendSystemText
    | do.SendAgentText
)


def client_event(command: ModelCommand) -> ClientEvent:
    """Write a command as the event that the client sends for it."""
    match command:
        case do.CreateResponse(event_id, None, True):
            return ResponseCreateEvent(event_id=event_id)
        case do.CreateResponse(event_id, instructions, tools):
            params = ResponseCreateParams()
            if instructions is not None:
                params.instructions = instructions
            if not tools:
                params.tool_choice = "none"
            return ResponseCreateEvent(event_id=event_id, response=params)
        case do.CancelResponse(response_id):
            return ResponseCancelEvent(response_id=response_id)
        case do.TruncateItem(event_id, item_id, content_index, audio_end_ms):
            return ConversationItemTruncateEvent(
                event_id=event_id,
                item_id=item_id,
                content_index=content_index,
                audio_end_ms=audio_end_ms,
            )
        case do.DeleteItem(event_id, item_id):
            return ConversationItemDeleteEvent(event_id=event_id, item_id=item_id)
        case do.SendToolCall(call_id, name, arguments):
            return ConversationItemCreateEvent(
                item=FunctionCall(call_id=call_id, name=name, arguments=arguments)
            )
        case do.SendToolOutput(call_id, output):
            return ConversationItemCreateEvent(
                item=FunctionCallOutput(call_id=call_id, output=output)
            )
        case do.AnswerApproval(request_id, approve, reason):
            answer = McpApprovalResponse(
                id=f"answer-{request_id}"[:32], approval_request_id=request_id, approve=approve
            )
            if reason is not None:
                answer.reason = reason
            return ConversationItemCreateEvent(item=answer)
        case do.SendUserText(text):
            return ConversationItemCreateEvent(item=UserMessage(content=[input_text(text)]))
        case do.SendSystemText(text):
            return ConversationItemCreateEvent(item=SystemMessage(content=[input_text(text)]))
        case do.SendAgentText(item_id, text):
            return ConversationItemCreateEvent(
                previous_item_id="root",
                item=AssistantMessage(id=item_id, content=[output_text(text)]),
            )
