"""The checker: finds faults in any loss, whoever wrote it. The function is `losskit.check`."""

from losskit.checker.checking import check as check
from losskit.checker.finding import Finding as Finding
from losskit.checker.finding import Found as Found
from losskit.checker.finding import Outcome as Outcome
from losskit.checker.finding import Report as Report
from losskit.checker.finding import Severity as Severity
from losskit.checker.spec import Unsure as Unsure
from losskit.checker.subject import Subject as Subject
