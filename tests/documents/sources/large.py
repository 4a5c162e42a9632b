"""Makes large documents, to measure speed and memory; they are not committed. Needs the packages of requirements.txt, and qpdf."""

import csv
import pathlib
import subprocess
import sys

import docx
import xlsxwriter
from docx.enum.text import WD_BREAK

from texts import paragraph

OUT = pathlib.Path(sys.argv[1])
FILES = pathlib.Path(__file__).resolve().parent.parent / "files"


def word():
    """600 pages."""
    document = docx.Document()
    for page in range(600):
        document.add_heading(f"Page {page + 1}", 1)
        for each in range(6):
            document.add_paragraph(paragraph(page * 6 + each, 4))
        document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    document.save(OUT / "600-pages.docx")


def workbook():
    """50,000 rows of ten cells."""
    book = xlsxwriter.Workbook(str(OUT / "50000-rows.xlsx"))
    sheet = book.add_worksheet("Numbers")
    for row in range(50_000):
        sheet.write_row(row, 0, [row, f"entry {row}", row * 1.25, row % 7, f"word {row % 100}", row / 8, row % 2, "x", row * 3, f"end {row}"])
    book.close()


def text():
    """Plain text of 20 MB, a web page of 10 MB, a table of 200,000 rows."""
    (OUT / "20-mb.txt").write_text("\n\n".join(paragraph(number) for number in range(29_000)), encoding="utf-8")
    (OUT / "10-mb.html").write_text(
        "<!doctype html><title>Long</title>" + "".join(f"<h2>Part {number}</h2><p>{paragraph(number)}</p>" for number in range(14_000)), encoding="utf-8")
    with open(OUT / "200000-rows.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row, f"entry {row}", row * 1.25, f"end {row}"] for row in range(200_000))


def pdf():
    """The book of sixty-one pages twenty times."""
    subprocess.run(["qpdf", "--empty", "--pages", *[str(FILES / "long-lualatex.pdf")] * 20, "--", str(OUT / "1220-pages.pdf")], check=True)


OUT.mkdir(parents=True, exist_ok=True)
word()
workbook()
text()
pdf()
