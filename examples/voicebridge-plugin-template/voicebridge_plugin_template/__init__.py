"""The tools of a restaurant."""

from voicebridge_plugin_template.tables import book_table, free_tables

__version__ = "0.1.0"

TOOLS = [free_tables, book_table]
