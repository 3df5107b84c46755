"""www/monitoring: rules that fire when they should (promtool), and nothing asked for that /metrics does not tell."""
import json
import re
import shutil
import subprocess

from exchange import text
from processes import PATIENCE, TOP
from test_operations import exposition

MONITORING = TOP / "www" / "monitoring"
OUTSIDE = {"up"}  # Prometheus' own


def promtool(*arguments, **more):
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=MONITORING, capture_output=True, text=True, timeout=PATIENCE, **more)
    assert done.returncode == 0, done
    return done


def metrics_in(expression):
    return set(re.findall(r"\bwaybill_\w+", expression))


def told(door):
    assert door.put("a.txt", text(100)).status == 201
    door.get("/nothing")
    names = set()
    for name, samples in exposition(door.get("/metrics")).items():
        names |= {name, *(dict(labels).get("sample", name) for labels in samples)}
    return names


def test_rules(fresh):
    assert shutil.which("promtool"), "the package prometheus is missing"
    assert "SUCCESS: 6 rules" in promtool("check", "rules", "waybill.rules.yml").stdout
    promtool("test", "rules", "waybill.test.yml")
    rules = (MONITORING / "waybill.rules.yml").read_text()
    tested = (MONITORING / "waybill.test.yml").read_text()
    manual = (TOP / "www" / "servers" / "RUNNING.md").read_text()
    for alert in re.findall(r"alert: (\w+)", rules):
        assert tested.count(f"alertname: {alert}\n") or tested.count(f"alertname: {alert},"), alert
        assert f"| `{alert}` |" in manual, alert
    asked = metrics_in("".join(re.findall(r"expr: (.*)", rules)))
    assert asked and asked <= told(fresh("fastcgi")), asked


def test_dashboard(fresh):
    board = json.loads((MONITORING / "grafana.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    known = told(fresh("fastcgi"))
    asked = metrics_in(" ".join(expressions))
    assert asked <= known, asked - known
    # nothing is told that nobody looks at
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in known} == {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
    places = [(cell, row) for p in board["panels"] for g in [p["gridPos"]] for cell in range(g["x"], g["x"] + g["w"]) for row in range(g["y"], g["y"] + g["h"])]
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for expression in expressions:  # as Prometheus reads it
        whole = expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
        rule = json.dumps({"groups": [{"name": "x", "rules": [{"record": "x", "expr": whole}]}]})
        promtool("check", "rules", "/dev/stdin", input=rule)


def test_metrics_as_prometheus_wants_them(fresh):
    door = fresh("fastcgi")
    told(door)
    done = promtool("check", "metrics", input=door.get("/metrics").text)
    assert done.stdout == "" and done.stderr == "", done
