from voicebridge.rehearsal.hearing_report import HearingReport
def hearing_svg(report: HearingReport) -> str:
    return "<svg/>"
