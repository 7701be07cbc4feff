"""The figures as Markdown: medians over the rounds, with the smallest and the largest."""
import os
import platform
import re
import statistics
import subprocess
import time
from collections import Counter

from servers import GATEWAY, PYTHON
from threads import RATES, WAYS

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


def spread_ms(rounds, key, digits):
    """Of what is in seconds, or infinite: nobody has waited for its end."""
    return spread([figures[key] * 1000 for figures in rounds], digits).replace("inf", "∞")


def mixed_table(results):
    lines = ["By connection:", ""]
    lines += heading(["server", "instant requests/s", "p50 ms", "p99 ms (min–max)", "sleeping, % of possible", "errors"])
    for server, by_round in results.items():
        rounds = list(by_round.values())
        lines.append(row([server, f"{median_of(rounds, 'rate'):,.0f}", f"{median_of(rounds, 'p50') * 1000:.2f}",
                          spread_ms(rounds, "p99", 2), f"{median_of(rounds, 'slow') * 100:.0f}", errors_of(rounds)]))
    lines += ["", "By request, the instant ones' p50 and p99 (min–max) in ms:", ""]
    lines += heading(["server", *(f"{rate} requests/s" for rate in RATES)])
    any_server = list(next(iter(results.values()), {}).values())
    for server, rounds, key in [("*ideal*", any_server, "ideal"),
                                *((server, list(by_round.values()), "paced") for server, by_round in results.items())]:
        lines.append(row([server, *(f"{median_of(rounds, f'{key} p50 {rate}') * 1000:.1f}, "
                                    + spread_ms(rounds, f"{key} p99 {rate}", 1) for rate in RATES)]))
    return lines


def blocked_table(results):
    lines = heading(["server", *(f"{way}, % of possible (min–max)" for way in WAYS), "errors"])
    for server, by_round in results.items():
        rounds = list(by_round.values())
        shares = [spread([figures[way] * 100 for figures in rounds], 1) for way in WAYS]
        lines.append(row([server, *shares, errors_of(rounds)]))
    return lines


def pool_table(results):
    lines = heading(["server", "p50 ms", "p99 ms (min–max)", "p99, × first", "in vain: p99 ms (min–max)", "most ms (min–max)"])
    first = next(iter(results.values()), {})
    for server, by_round in results.items():
        rounds = list(by_round.values())
        times = [figures["p99"] / first[number]["p99"] for number, figures in by_round.items() if number in first]
        lines.append(row([server, f"{median_of(rounds, 'p50') * 1000:.2f}", spread_ms(rounds, "p99", 1), spread(times, 2),
                          spread_ms(rounds, "vain p99", 1), spread_ms(rounds, "vain", 1)]))
    rounds = list(first.values())
    lines.append(row(["*ideal*", f"{median_of(rounds, 'ideal p50') * 1000:.2f}", spread_ms(rounds, "ideal p99", 1), "", "", ""]))
    return [*lines, "", "Seconds in the queue, requests of all rounds:", "", *histograms(results)]


def histograms(results):
    """A row for each bound that somebody reached, with how many stayed below it and not below the one before."""
    total = {server: sum((Counter(figures["queue"]) for figures in by_round.values()), Counter())
             for server, by_round in results.items()}
    lines, before = heading(["at most", *total]), Counter()
    for bound in next(iter(next(iter(results.values())).values()))["queue"]:
        here = {server: counts[bound] - before[server] for server, counts in total.items()}
        before = Counter({server: counts[bound] for server, counts in total.items()})
        if any(here.values()):
            lines.append(row([bound, *(f"{count:,}" for count in here.values())]))
    return lines


def crowd_table(results):
    lines = heading(["server", "extra request: p50 ms", "p99 ms (min–max)", "most ms (min–max)", "not within 1 s",
                     "PSS KiB/client", "descriptors", "left", "generators (all after s)", "the crowd got", "CPU s"])
    for server, by_round in results.items():
        rounds = list(by_round.values())
        asked = sum(figures["asked"] for figures in rounds)
        ended = spread([figures["all_finished"] for figures in rounds if figures["all_finished"]], 1)
        lines.append(row([
            server, spread_ms(rounds, "p50", 1), spread_ms(rounds, "p99", 1), spread_ms(rounds, "most", 1),
            f"{sum(figures['late'] for figures in rounds) / asked:.0%}", f"{median_of(rounds, 'each') / 1024:.1f}",
            f"{median_of(rounds, 'opened'):.0f}", f"{max(figures['left'] for figures in rounds)}",
            f"{median_of(rounds, 'finished'):.0f} ({ended})", outcomes(rounds), f"{median_of(rounds, 'spent'):.1f}"]))
    return lines


def outcomes(rounds):
    """What became of the clients, over all rounds."""
    total = sum((figures["outcomes"] for figures in rounds), Counter())
    said = ", ".join(f"{what} {count / len(rounds):.0f}" for what, count in total.most_common())
    seconds = [time for figures in rounds for time in figures["seconds"]]
    return said + (f" after {min(seconds):.1f}–{max(seconds):.1f} s" if seconds else "")


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


TABLES = {"mixed": mixed_table, "blocked": blocked_table, "pool": pool_table, "slow-readers": crowd_table, "slow-writers": crowd_table}
