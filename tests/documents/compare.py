#!/usr/bin/env python3
"""Runs Behalf's extractor, pdftotext and pandoc on the documents of the corpus, and prints what each of them finds.

    tests/documents/compare.py [--extractor COMMAND] [--rounds N] [--only TEXT] [--misses]
    tests/documents/compare.py --speed FOLDER [--extractor COMMAND] [--rounds N]     times and memory of the files in the folder

`--page docs/extraction.md` writes the tables into that page.

The extractor's command gets the file as its last argument. It prints a JSON object a line: pages with `text` and `name`, then the summary
with `format`, or a failure with `reason`. Where no command is given, it is plugins/extraction/target/release/examples/extract, which

    cargo build --release --manifest-path plugins/extraction/Cargo.toml --example extract

builds. pdftotext is in Debian's package poppler-utils, pandoc in pandoc; what reads Markdown here is the Python package markdown-it-py.
Only files in formats that a program says it reads are given to it. Seconds are those of the processor, the least of the rounds, with the
start of the program; memory is the most that the process held, as GNU time (package time) says. The texts of pdftotext are compared as
plain text; it makes no tables and no headings. Where a document cannot be read, the other programs are right if they fail or say nothing.
"""

import argparse
import html.parser
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

try:
    import markdown_it
except ImportError:
    sys.exit("compare.py: the Python package markdown-it-py is missing: python3 -m pip install markdown-it-py")

HERE = pathlib.Path(__file__).resolve().parent
EXTRACTOR = HERE.parent.parent / "plugins/extraction/target/release/examples/extract"
BLOCKS = {"p", "div", "ul", "ol", "li", "table", "thead", "tbody", "tr", "td", "th", "caption", "pre", "blockquote", "br", "hr", "dl", "dt",
          "dd", "figure", "figcaption", "section", "h1", "h2", "h3", "h4", "h5", "h6", "colgroup"}
TIME = "/usr/bin/time"
PANDOC = {"docx": "docx", "odt": "odt", "html": "html", "epub": "epub", "md": "gfm", "csv": "csv"}


class Markdown(html.parser.HTMLParser):
    """A page's plain text, headings, items, rows and links, read from the HTML that its Markdown means."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.parts, self.headings, self.items, self.rows, self.links = [], [], [], [], []
        self.lists, self.open, self.open_rows, self.unseen = 0, [], [], 0
        self.feed(markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
        self.close()
        self.plain = squeeze("".join(self.parts))

    def handle_starttag(self, tag, attributes):
        if tag in BLOCKS:
            self.parts.append(" ")
        if tag in ("script", "style"):
            self.unseen += 1
        if tag in ("ul", "ol"):
            # What an item says before its lists is its own text.
            self.end_item()
            self.lists += 1
        if tag == "tr":
            self.open_rows.append([])
        if tag == "li" or tag in ("td", "th", "a") or (len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()):
            self.open.append((tag, len(self.parts), dict(attributes), self.lists))
            if tag == "li":
                self.items.append([self.lists, None])
                self.open[-1][2]["item"] = len(self.items) - 1

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.unseen -= 1
        if tag in ("ul", "ol"):
            self.lists -= 1
        if self.open and self.open[-1][0] == tag:
            _, start, attributes, _ = self.open[-1]
            text = squeeze("".join(self.parts[start:]))
            if tag == "a":
                self.links.append((text, attributes.get("href")))
            elif tag in ("td", "th"):
                if self.open_rows:
                    self.open_rows[-1].append(text)
            elif tag == "li":
                self.end_item()
            else:
                self.headings.append((int(tag[1]), text))
            self.open.pop()
        if tag == "tr" and self.open_rows:
            self.rows.append(self.open_rows.pop())
        if tag in BLOCKS:
            self.parts.append(" ")

    def end_item(self):
        """Keeps the text of the innermost item, unless a list inside of it has ended that text before."""
        for tag, start, attributes, _ in reversed(self.open):
            if tag == "li":
                item = self.items[attributes["item"]]
                if item[1] is None:
                    item[1] = squeeze("".join(self.parts[start:]))
                return

    def handle_data(self, data):
        if not self.unseen:
            self.parts.append(data)


class Plain:
    """A page of a program that makes no Markdown."""

    def __init__(self, text):
        self.plain, self.headings, self.items, self.rows, self.links = squeeze(text), None, None, None, None


def squeeze(text):
    """The text with each run of white space as one space."""
    return " ".join(text.split())


def subsequence(wanted, found, fits):
    """Those of `wanted` that are not in `found` in this order."""
    at, missing = 0, []
    for each in wanted:
        place = next((number for number in range(at, len(found)) if fits(each, found[number])), None)
        if place is None:
            missing.append(each)
        else:
            at = place + 1
    return missing


class Score:
    """How many of a document's expectations came true, by kind, and which did not."""

    def __init__(self):
        self.kinds, self.misses = {}, []

    def count(self, kind, wanted, missing):
        """Counts expectations of a kind; each of `missing` is a text that says what is not there."""
        right, all_ = self.kinds.get(kind, (0, 0))
        self.kinds[kind] = (right + wanted - len(missing), all_ + wanted)
        self.misses += [f"{kind}: {each}" for each in missing]

    def share(self, kind):
        """For a cell of a table."""
        right, all_ = self.kinds.get(kind, (0, 0))
        return f"{right}/{all_}" if all_ else ""


def judge(expected, pages, raw, summary, failure, makes_markdown):
    """Compares what a program found with what is expected."""
    score = Score()
    if expected["failure"] is not None:
        # Other programs have no reasons: that they say nothing is right.
        right = failure == expected["failure"] if summary is not None else failure is not None
        score.count("failure", 1, [] if right else [f"wanted {expected['failure']}, got {failure or 'text'}"])
        return score
    if failure is not None:
        score.count("failure", 1, [f"wanted text, got {failure}"])
    plain = " ".join(page.plain for page in pages)
    at, missing = 0, []
    for text in expected["in_order"]:
        place = plain.find(text, at)
        if place < 0:
            missing.append(f"{'out of order' if text in plain else 'absent'}: {text[:100]}")
        else:
            at = place + len(text)
    score.count("texts", len(expected["in_order"]), missing)
    if summary is not None or expected["format"] == "pdf":
        wrong = [f"page {each['page']}: {each['text']}" for each in expected["on_page"]
                 if len(pages) < each["page"] or each["text"] not in pages[each["page"] - 1].plain]
        score.count("texts", len(expected["on_page"]), wrong)
        if expected["pages"]:
            least, most = expected["pages"]["least"], expected["pages"]["most"]
            score.count("pages", 1, [] if least <= len(pages) <= most else [f"{len(pages)}, wanted {least} to {most}"])
    everything = "\n".join([plain, raw, json.dumps(summary or {}, ensure_ascii=False)])
    score.count("texts", len(expected["absent"]), [f"unwanted: {text}" for text in expected["absent"] if text in everything])
    often = [f"{plain.count(each['text'])} times: {each['text']}" for each in expected["at_most"] if plain.count(each["text"]) > each["times"]]
    score.count("texts", len(expected["at_most"]), often)
    if makes_markdown:
        rows = [row for page in pages for row in page.rows]
        score.count("rows", len(expected["rows"]), [json.dumps(row, ensure_ascii=False) for row in subsequence(
            expected["rows"], rows, lambda row, found: len(row) == len(found) and all(a in (None, b) for a, b in zip(row, found)))])
        headings = [heading for page in pages for heading in page.headings]
        score.count("headings", len(expected["headings"]), [f"{each['level'] or 'any'} {each['text']}" for each in subsequence(
            expected["headings"], headings, lambda want, found: want["level"] in (None, found[0]) and want["text"] == found[1])])
        items = [item for page in pages for item in page.items]
        score.count("items", len(expected["items"]), [f"{each['depth'] or 'any'} {each['text']}" for each in subsequence(
            expected["items"], items, lambda want, found: want["depth"] in (None, found[0]) and want["text"] in (found[1] or ""))])
        links = {link for page in pages for link in page.links}
        score.count("links", len(expected["links"]),
                    [f"{each['text']} -> {each['to']}" for each in expected["links"] if (each["text"], each["to"]) not in links])
    if summary is not None:
        names = [page["name"] for page in summary["pages"] if page.get("name")]
        for kind, want, got in [("format", expected["format"], summary.get("format")), ("title", expected["title"], summary.get("title")),
                                ("author", expected["author"], summary.get("author")), ("pictures", expected["pictures"], summary.get("pictures")),
                                ("names", expected["page_names"] or None, names)]:
            if want is not None and failure is None:
                score.count("properties", 1, [] if want == got else [f"{kind} is {got!r}, wanted {want!r}"])
    return score


def run(command, rounds):
    """What the command printed, its exit code, the least seconds of processor time and the most memory in bytes."""
    best = None
    for _ in range(rounds):
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            took = usage.ru_utime + usage.ru_stime
            best = took if best is None else min(best, took)
            out.seek(0)
            printed = out.read().decode("utf-8", "replace")
    # Once more for the memory: a child of this process would count the memory of Python too.
    with tempfile.NamedTemporaryFile("r") as said:
        subprocess.run([TIME, "--quiet", "-f", "%M", "-o", said.name, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL, check=False)
        memory = int(said.read().split()[-1]) * 1024
    return printed, child.returncode, best, memory


class Result:
    """What one program made of one document."""

    def __init__(self, score, characters, seconds, memory):
        self.score, self.characters, self.seconds, self.memory = score, characters, seconds, memory


def by_extractor(command, expected, path, rounds):
    """What Behalf's extractor makes of a document."""
    printed, code, seconds, memory = run([*command, str(path)], rounds)
    held, summary, failure = [], {}, None
    for line in printed.splitlines():
        value = json.loads(line) if line.startswith("{") else {}
        if "text" in value:
            held.append(value)
        elif "reason" in value:
            # `TooLarge` is what Rust prints of `too-large`.
            failure = re.sub(r"(?<=.)([A-Z])", r"-\1", value["reason"]).lower()
        elif "format" in value:
            summary = value
    if code != 0 and failure is None:
        failure = f"exit code {code}"
    summary["pages"] = held
    texts = [page["text"] for page in held]
    score = judge(expected, [Markdown(text) for text in texts], "\n".join(texts), summary, failure, True)
    return Result(score, sum(map(len, texts)), seconds, memory)


def by_pdftotext(expected, path, rounds):
    """What pdftotext makes of a PDF."""
    printed, code, seconds, memory = run(["pdftotext", "-enc", "UTF-8", str(path), "-"], rounds)
    pages = [Plain(text) for text in printed.split("\f")[:-1]]
    failure = f"exit code {code}" if code else None if "".join(page.plain for page in pages) else "no text"
    return Result(judge(expected, pages, printed, None, failure, False), len(printed), seconds, memory)


def by_pandoc(expected, path, rounds):
    """What pandoc makes of a document; it knows no pages."""
    form = PANDOC[expected["format"]]
    printed, code, seconds, memory = run(["pandoc", "-f", form, "-t", "gfm", "--wrap=none", "--track-changes=accept", str(path)], rounds)
    failure = f"exit code {code}" if code else None if printed.strip() else "no text"
    return Result(judge(expected, [Markdown(printed)], printed, None, failure, True), len(printed), seconds, memory)


def cells(result, kinds):
    """The cells of a program in a row of the table."""
    if result is None:
        return [""] * (len(kinds) + 2)
    if "failure" in result.score.kinds:
        right, _ = result.score.kinds["failure"]
        return ["right" if right else "**wrong**"] + [""] * (len(kinds) - 1) + ["", f"{result.memory / 2**20:.1f}"]
    speed = f"{result.characters / result.seconds / 1e6:.2f}"
    return [result.score.share(kind) for kind in kinds] + [speed, f"{result.memory / 2**20:.1f}"]


def table(head, rows):
    """A Markdown table without the columns that hold nothing."""
    held = [number for number in range(len(head)) if any(row[number] for row in rows)]
    rows = [[row[number] for number in held] for row in [head, *rows]]
    rows.insert(1, ["---" if number == 0 else "---:" for number in range(len(held))])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def renew(page, name, made):
    """Puts a table into a page, between the marks of its name; without a page, prints it."""
    if not page:
        print(f"\n### {name}\n\n{made}")
        return
    text = page.read_text("utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        sys.exit(f"compare.py: {page} has no marks for {name}")
    before, after = text.split(begin, 1)[0], text.split(end, 1)[1]
    page.write_text(f"{before}{begin}\n\n{made}\n\n{end}{after}", "utf-8")


def speed(command, folder, rounds):
    """Times and memory of the programs on the files in a folder."""
    rows = []
    for path in sorted(folder.iterdir()):
        form = path.suffix[1:]
        lines = run([*command, str(path)], rounds)
        pages = [value for value in map(json.loads, lines[0].splitlines()) if "text" in value]
        ours = (sum(len(page["text"]) for page in pages), lines[2], lines[3])
        rival = None
        if form == "pdf":
            rival = "pdftotext", run(["pdftotext", "-enc", "UTF-8", str(path), "-"], rounds)
        elif form in PANDOC:
            rival = "pandoc", run(["pandoc", "-f", PANDOC[form], "-t", "gfm", "--wrap=none", str(path)], rounds)
        cells_ = [f"`{path.name}`", f"{path.stat().st_size / 1e6:.1f}", str(len(pages))]
        for characters, seconds, memory in [ours] + ([(len(rival[1][0]), *rival[1][2:])] if rival else []):
            cells_ += [f"{characters / 1e6:.1f}", f"{seconds:.2f}", f"{characters / seconds / 1e6:.1f}", f"{memory / 2**20:.0f}"]
        rows.append(cells_ + ["", "", "", ""] * (rival is None) + [rival[0] if rival else ""])
    measures = ["M chars", "s", "M chars/s", "MiB"]
    return table(["file", "MB", "pages", *measures, *[f"other: {measure}" for measure in measures], "other"], rows)


OURS = ["texts", "rows", "headings", "items", "links", "pages", "properties"]


def main():
    """Runs the programs and prints the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--extractor", help="the command of Behalf's extractor")
    options.add_argument("--rounds", type=int, default=5, help="runs of each program on each file; 5 where absent")
    options.add_argument("--only", default="", help="only the files whose names hold this text")
    options.add_argument("--misses", action="store_true", help="print each expectation that did not come true")
    options.add_argument("--page", type=pathlib.Path, help="write the tables into this page, which has marks for them, and print none")
    options.add_argument("--speed", type=pathlib.Path, help="measure the files in this folder instead")
    given = options.parse_args()
    command = shlex.split(given.extractor) if given.extractor else [str(EXTRACTOR)]
    programs = {"extractor": shutil.which(command[0]), "pdftotext": shutil.which("pdftotext"), "pandoc": shutil.which("pandoc")}
    hints = {"extractor": "build it as this script's help says", "pdftotext": "apt-get install poppler-utils", "pandoc": "apt-get install pandoc"}
    for name, path in programs.items():
        if not path:
            print(f"compare.py: {name} is missing, and its columns stay empty: {hints[name]}", file=sys.stderr)
    if not pathlib.Path(TIME).exists():
        sys.exit(f"compare.py: {TIME} is missing: apt-get install time")
    if given.speed:
        renew(given.page, "large documents", speed(command, given.speed, given.rounds))
        return
    documents = [each for each in json.loads((HERE / "expected.json").read_text("utf-8")) if given.only in each["file"]]
    results = []
    for expected in documents:
        path = HERE / "files" / expected["file"]
        results.append((
            expected,
            by_extractor(command, expected, path, given.rounds) if programs["extractor"] else None,
            by_pdftotext(expected, path, given.rounds) if programs["pdftotext"] and expected["format"] == "pdf" else None,
            by_pandoc(expected, path, given.rounds) if programs["pandoc"] and expected["format"] in PANDOC else None,
        ))
    # One table for each rival, and one for what only the extractor reads: a row of all would be too wide.
    for title, place, kinds in [("pdftotext", 2, ["texts", "pages"]), ("pandoc", 3, ["texts", "rows", "headings", "items", "links"]), (None, None, [])]:
        chosen = [row for row in results if (row[place] is not None if place else row[2] is None and row[3] is None)]
        if not chosen:
            continue
        head = ["file"] + OURS + ["M chars/s", "MiB"]
        head += [f"{title}: {kind}" for kind in [*kinds, "M chars/s", "MiB"]] if title else []
        renew(given.page, f"beside {title}" if title else "what neither of the two reads", table(head, [[f"`{row[0]['file']}`", *cells(row[1], OURS), *(cells(row[place], kinds) if place else [])] for row in chosen]))
    together = []
    for name, place in (("extractor", 1), ("pdftotext", 2), ("pandoc", 3)):
        there = [row for row in results if row[place] is not None]
        if not there:
            continue
        sums = {kind: [sum(row[place].score.kinds.get(kind, (0, 0))[part] for row in there) for part in (0, 1)] for kind in [*OURS, "failure"]}
        together.append([name, str(len(there)), str(sum(not row[place].score.misses for row in there))]
                        + [f"{right}/{all_}" if all_ else "" for right, all_ in sums.values()])
    renew(given.page, "together", table(["program", "files", "files wholly right", *OURS, "failure"], together))
    if given.misses:
        for name, place in (("extractor", 1), ("pdftotext", 2), ("pandoc", 3)):
            for row in results:
                for miss in row[place].score.misses if row[place] else []:
                    print(f"{name}: {row[0]['file']}: {miss}")


if __name__ == "__main__":
    main()
