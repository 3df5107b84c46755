"""counted.py REPORT STATUS: of a pytest report the line "N passed, N failed"; what was skipped has failed."""
import sys
import xml.etree.ElementTree as xml


def main(report, status):
    try:
        suite = xml.parse(report).getroot().find("testsuite")
        total, failed = int(suite.get("tests")), sum(int(suite.get(k)) for k in ("errors", "failures", "skipped"))
    except (xml.ParseError, OSError):
        total, failed = 0, 0
    failed = max(failed, int(status != "0"))
    print(f"{max(total - failed, 0)} passed, {failed} failed")
    return failed > 0


sys.exit(main(*sys.argv[1:]))
