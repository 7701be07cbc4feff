"""The figures as Markdown: medians over the rounds, with the smallest and the largest."""
import os
import platform
import re
import statistics
import subprocess
import time

from servers import GATEWAY, PYTHON

LOAD_HEAD = ["server", "requests/s", "p50 ms", "p99 ms", "errors", "CPU µs/request (min–max)",
             "× floor (min–max)", "PSS MiB"]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def heading(cells):
    return [row(cells), row(["---"] + ["---:"] * (len(cells) - 1))]


def spread(values, digits):
    if not values:
        return "–"
    three = statistics.median(values), min(values), max(values)
    middle, low, high = (f"{value:.{digits}f}" for value in three)
    return f"{middle} ({low}–{high})" if len(values) > 1 else middle


def median_of(rounds, key):
    return statistics.median(figures[key] for figures in rounds)


def errors_of(rounds):
    """All rounds' errors by kind, those that occurred."""
    total = {}
    for figures in rounds:
        for kind, count in figures["errors"].items():
            total[kind] = total.get(kind, 0) + count
    return ", ".join(f"{kind} {count:,}" for kind, count in total.items() if count) or "0"


def ratios(results, server, key):
    """To the floor of the same round, where both were measured."""
    floor = results.get("floor", {})
    return [figures[key] / floor[number][key]
            for number, figures in results[server].items() if number in floor]


def idle_cells(rounds):
    known = [figures for figures in rounds if "idle_pss" in figures]
    if not known:
        return [f"– (kept {max(figures['kept'] for figures in rounds):,})"] + ["–"]
    return [f"{median_of(known, 'idle_pss'):,.0f}", f"{median_of(known, 'idle_private'):,.0f}"]


def load_table(scenario, results):
    idle = ["idle conn. B PSS", "idle conn. B private"] if scenario.idle else []
    lines = heading(LOAD_HEAD + idle)
    for server, by_round in results.items():
        rounds = list(by_round.values())
        cells = [server, f"{median_of(rounds, 'rate'):,.0f}", f"{median_of(rounds, 'p50') / 1000:.2f}",
                 f"{median_of(rounds, 'p99') / 1000:.2f}", errors_of(rounds),
                 spread([figures["cpu"] for figures in rounds], 2), spread(ratios(results, server, "cpu"), 2),
                 f"{median_of(rounds, 'pss') / 2**20:.1f}"]
        lines.append(row(cells + (idle_cells(rounds) if idle else [])))
    return lines


def startup_table(results, python):
    lines = heading(["server", "to the first answer, ms (min–max)", "more than `python3 -c pass`, ms"])
    for server, by_round in results.items():
        times = [figures["start"] * 1000 for figures in by_round.values()]
        lines.append(row([server, spread(times, 1), f"{statistics.median(times) - python * 1000:+.1f}"]))
    return lines + ["", f"`python3 -c pass`: {python * 1000:.1f} ms."]


def notes(failures):
    return ["", *(f"* {server}: {why}" for server, why in failures.items())] if failures else []


def first_match(pattern, argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, done.stdout + done.stderr)
    return found and found.group(1)


def module_version(name):
    code = f"from importlib.metadata import version; print(version('{name}'))"
    return first_match(r"^(\S+)\n$", [PYTHON, "-c", code])


def machine():
    """One paragraph that says where the figures come from."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    versions = {
        "Python": first_match(r"Python (\S+)", [PYTHON, "--version"]),
        "wrk": first_match(r"wrk (\S+)", ["wrk", "-v"]),
        "gateway": first_match(r"([\d.]+\S*)", [GATEWAY, "--version"]),
        "nginx": first_match(r"nginx/(\S+)", ["nginx", "-v"]),
        "uWSGI": first_match(r"(\S+)", ["uwsgi", "--version"]),
        **{name: module_version(name) for name in ("gevent", "gunicorn", "waitress")},
    }
    said = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return (f"{time.strftime('%Y-%m-%d')}; {model.group(1) if model else platform.machine()}, "
            f"{os.cpu_count()} cores, Linux {platform.release()}; {said}.")
