"""``voicebridge doctor``: what keeps calls from coming in, each with its remedy."""

from voicebridge.cli.doctor.examine import examine, run_doctor
from voicebridge.cli.doctor.finding import Finding
from voicebridge.cli.doctor.site import Site

__all__ = ["Finding", "Site", "examine", "run_doctor"]
