"""How the picture of a call looks, on light and on dark."""

from __future__ import annotations

from typing import Final

CALLER, AGENT, CUT, TOOL = "#2f6fde", "#0f8f6b", "#d6453d", "#9455c8"

STYLE: Final = f"""
text {{ font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif;
  font-size: 12.5px; fill: #26313d; }}
.paper {{ fill: #fcfcfa; stroke: #e2e4e2; }}
.title {{ font-size: 20px; font-weight: 600; }}
.soft {{ fill: #6d7884; }}
.small {{ font-size: 11px; }}
.lane {{ font-size: 12px; font-weight: 600; }}
.stage {{ fill: #f1f3f2; }}
.rule {{ stroke: #ccd2d5; stroke-width: 1; }}
.base {{ stroke: #c3cacd; stroke-width: 1; }}
.caller {{ stroke: {CALLER}; }} .agent {{ stroke: {AGENT}; }}
.wave {{ stroke-width: 2.4; stroke-linecap: round; fill: none; }}
.lost {{ opacity: .26; }}
.ink-caller {{ fill: {CALLER}; }} .ink-agent {{ fill: {AGENT}; }}
.unheard {{ fill: #98a2ab; font-style: italic; }}
.noticed {{ stroke: {CALLER}; stroke-width: 3; stroke-linecap: round; opacity: .45; }}
.mark {{ stroke: {AGENT}; stroke-width: 1.4; opacity: .8; }}
.back {{ stroke: {CUT}; stroke-width: 1.4; opacity: .8; }}
.cut {{ stroke: {CUT}; stroke-width: 1.6; stroke-dasharray: 4 3; }}
.ink-cut {{ fill: {CUT}; font-weight: 600; }}
.tool {{ fill: {TOOL}; fill-opacity: .13; stroke: {TOOL}; stroke-opacity: .55; }}
.chip {{ fill: #fcfcfa; fill-opacity: .9; stroke-width: 1; }}
.ink-tool {{ fill: {TOOL}; }}
.stem {{ stroke: {TOOL}; stroke-width: 1.2; stroke-dasharray: 2 2; }}
.value {{ font-size: 17px; font-weight: 600; }}
.good {{ fill: {AGENT}; }} .bad {{ fill: {CUT}; }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #e3e8ec; }}
  .paper {{ fill: #14191f; stroke: #2a323a; }}
  .soft {{ fill: #97a3ae; }} .unheard {{ fill: #7d8892; }}
  .stage {{ fill: #1b2229; }} .rule, .base {{ stroke: #3a444d; }}
  .caller, .noticed {{ stroke: #6ea2ff; }} .ink-caller {{ fill: #8fb6ff; }}
  .agent, .mark {{ stroke: #35c398; }} .ink-agent, .good {{ fill: #45d3a8; }}
  .cut, .back {{ stroke: #ff7b72; }} .ink-cut, .bad {{ fill: #ff8f87; }}
  .chip {{ fill: #14191f; }}
  .tool {{ fill: #b78be6; stroke: #b78be6; }} .ink-tool {{ fill: #cda8f5; }}
  .stem {{ stroke: #b78be6; }}
}}
"""
