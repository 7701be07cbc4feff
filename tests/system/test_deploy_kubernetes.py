"""deploy/kubernetes: not run in a cluster, but what can be known without one.

What went wrong once: options in a manifest that the program had lost long ago, probes of paths that it did not answer, and a pod
that was killed while it still drained; an ingress that gave up at the moment when the 504 was about to come.
"""

import re
from pathlib import Path

import pytest
from harness import APPLICATIONS, run
from test_systemd import KILL_GRACE

yaml = pytest.importorskip("yaml", reason="there is no yaml for Python (Debian: python3-yaml)")
MANIFEST = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "shop.yaml"
INGRESS = 60  # seconds that ingress-nginx waits for an answer (deploy/README)
CLOSING = 1.5  # seconds, at most, from --drain-delay's end to --graceful-timeout's begin (src/master/graceful_stop.c)


@pytest.fixture
def deployment():
    deployment, service = yaml.safe_load_all(MANIFEST.read_text())
    assert [deployment["kind"], service["kind"]] == ["Deployment", "Service"]
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert labels == deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    return template["spec"]


@pytest.fixture
def container(deployment):
    (container,) = deployment["containers"]
    assert container["command"] == ["gateway"] and container["args"][-1] == "shop.wsgi"
    return container


def options(container):
    return dict(argument.split("=", 1) for argument in container["args"][:-1])


def test_the_program_takes_the_options(container):
    done = run(*container["args"][:-1], "--check-config", "hello", cwd=APPLICATIONS)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_probes_ask_is_answered(serve, container):
    given = [argument for argument in container["args"][:-1] if not argument.startswith("--bind=")]
    server = serve("hello", *given, "--drain-delay=0")
    (port,) = container["ports"]
    assert options(container)["--bind"] == f"0.0.0.0:{port['containerPort']}"
    for probe, text in ("startupProbe", "alive\n"), ("livenessProbe", "alive\n"), ("readinessProbe", "ready\n"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert server.get(asked["path"]).text == text


def test_a_pod_has_time_to_drain_and_is_known_to(deployment, container):
    delay, graceful = (int(options(container)[name].removesuffix("s")) for name in ("--drain-delay", "--graceful-timeout"))
    assert deployment["terminationGracePeriodSeconds"] >= delay + CLOSING + graceful + KILL_GRACE
    probe = container["readinessProbe"]
    assert 2 * probe["periodSeconds"] * probe["failureThreshold"] < delay


def test_the_answer_comes_before_the_ingress_gives_up(container):
    printed = run(*container["args"][:-1], "--print-config", "hello", cwd=APPLICATIONS).stdout
    waits = dict(re.findall(r'(?m)^(queue-timeout|timeout) += +"(\d+)s"', printed))
    assert int(waits["queue-timeout"]) + int(waits["timeout"]) < INGRESS
