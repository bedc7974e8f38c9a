"""Tests the page of `sd-gen --report` in a real headless browser, with a real mouse and keyboard and no network.

    python3 scripts/report/report_page_test.py [TEMPLATE]       the template, filled with a sample run (default: ours)
    python3 scripts/report/report_page_test.py --page PAGE      a page that the program wrote: the checks that fit any run

Prints one line a check; exits 0 when all hold, 1 when one fails, 77 (skipped) where there is no Chromium.
"""
import json
import pathlib
import re
import sys
import tempfile
import time
import traceback

from browser import Browser, Page, find_chromium
from page_checks import ANY_RUN, check, check_heat, mapped, ready, same, word_button
from sample_run import PLACEHOLDER, TEMPLATE, page_of, sample_run

SKIPPED = 77


def check_every_word(open_page, run):
    """All maps of the sample, among them hot corners, by a link each."""
    number = next(n for n, picture in enumerate(run["pictures"], 1) if "hostile" in picture["path"])
    with open_page() as tab:
        for word, grid in mapped(run["pictures"][number - 1]):
            tab.hover(word_button(number, word))
            check_heat(tab, number, grid, f"word {word}")


def check_other_runs(open_page, run):
    """A run of one picture has no index; a run of none still shows its times."""
    for pictures in (run["pictures"][:1], []):
        small = {**run, "pictures": pictures}
        with open_page(run=small) as tab:
            same(tab.evaluate("document.querySelectorAll('nav, main section:not(.run)').length"), len(pictures), "sections and indexes")
            same(tab.evaluate("document.querySelectorAll('.times').length"), 1, "times")


def check_empty_template(open_page, _):
    with open_page(run=None) as tab:
        check("holds no run" in tab.evaluate("document.body.innerText"), "the empty template says what it is")


def check_the_test(open_page, _):
    """The driver sees requests, errors and exceptions; otherwise the other checks prove nothing."""
    bad = ("<img src='http://example.invalid/a.png'><script>console.error('seen'); fetch('http://example.invalid/b').catch(() => 0);"
           "setTimeout(() => { throw new Error('thrown'); })</script>")
    tab = open_page(text=bad, clean=False)
    problems = " | ".join(tab.problems())
    tab.close()
    for wanted in ("a.png", "/b", "seen", "thrown"):
        check(wanted in problems, f"the driver misses {wanted}: {problems}")


OUR_TEMPLATE = [check_the_test, check_every_word, check_other_runs, check_empty_template]


class CleanPage(Page):
    """A page that must leave no errors and no requests behind."""

    def __exit__(self, kind, *_):
        problems = [] if kind else self.problems()
        self.close()
        same(problems, [], f"errors and requests of {self.url[-60:]}")


def run_checks(browser, folder, text, run, template, checks):
    def open_page(fragment="", clean=True, text=text, **options):
        name = "page.html"
        shown = run
        if "run" in options:
            shown = options.pop("run")
            text = page_of(shown, template) if shown else template.read_text(encoding="utf-8")
            name = "other.html"
        path = folder / name
        path.write_text(text, encoding="utf-8")
        tab = CleanPage(browser, path.as_uri() + fragment, **options)
        if clean and shown:
            ready(tab, shown)
        return tab
    failed = 0
    for one in checks:
        started = time.monotonic()
        try:
            one(open_page, run)
            print(f"ok      {one.__name__} ({time.monotonic() - started:.1f} s)")
        except AssertionError as error:
            failed += 1
            print(f"FAILED  {one.__name__}: {error}")
        except Exception:
            failed += 1
            print(f"FAILED  {one.__name__}: {traceback.format_exc()}")
    return failed


def main(arguments):
    arguments = [argument for argument in arguments if argument != "--page"]
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    program = find_chromium()
    if not program:
        print("skipped: no chromium on this machine")
        return SKIPPED
    path = pathlib.Path(arguments[0]) if arguments else TEMPLATE
    text, checks = path.read_text(encoding="utf-8"), ANY_RUN
    if PLACEHOLDER in text:
        run, checks = sample_run(), ANY_RUN + OUR_TEMPLATE
        text = page_of(run, path)
    else:
        found = re.search(r'<script id="run" type="application/json">(.*?)</script>', text, re.DOTALL)
        check(found, f"{path} is not a page of sd-gen --report: it holds no run")
        check("<" not in found[1], f"{path}: the run holds a bare '<'")
        run = json.loads(found[1])
    with tempfile.TemporaryDirectory(prefix="report-page-") as folder, Browser(program) as browser:
        failed = run_checks(browser, pathlib.Path(folder), text, run, path, checks)
    print(f"{len(checks) - failed} of {len(checks)} checks hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
