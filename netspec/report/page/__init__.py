"""``report.html``: all that there is to say of a run, on one page that needs nothing but itself."""

from netspec.report.page.inputs import Report
from netspec.report.page.writing import write_report

__all__ = ["Report", "write_report"]
