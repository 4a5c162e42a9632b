"""Writes what is expected of each document, from what was put into it. See README.md beside make.sh for the shape."""

import json
import pathlib
import sys

from texts import LANGUAGES, paragraph, sentence

FILES = pathlib.Path(sys.argv[1])
TARGET = pathlib.Path(sys.argv[2])
ALL = []


def add(file, made_by, shows, format_, *, failure=None, pages=None, title=None, author=None, page_names=(), pictures=None, in_order=(),
        on_page=(), headings=(), items=(), rows=(), links=(), absent=(), at_most=()):
    """Adds a document; `pages` is a number or a pair."""
    least, most = pages if isinstance(pages, tuple) else (pages, pages)
    ALL.append({
        "file": file,
        "made_by": made_by,
        "shows": shows,
        "format": format_,
        "failure": failure,
        "pages": None if pages is None else {"least": least, "most": most},
        "title": title,
        "author": author,
        "page_names": list(page_names),
        "pictures": pictures,
        "in_order": list(in_order),
        "on_page": [{"page": page, "text": text} for page, text in on_page],
        "headings": [{"level": level, "text": text} for level, text in headings],
        "items": [{"depth": depth, "text": text} for depth, text in items],
        "rows": [list(row) for row in rows],
        "links": [{"text": text, "to": to} for text, to in links],
        "absent": list(absent),
        "at_most": [{"text": text, "times": times} for text, times in at_most],
    })


def fails(file, made_by, shows, format_, reason):
    """Adds a document that cannot be read."""
    add(file, made_by, shows, format_, failure=reason)


def any_level(headings):
    """The headings without their levels, which a printed page does not say."""
    return [(None, text) for _, text in headings]


# --- The report ------------------------------------------------------------------------------------------------------

REPORT_HEADINGS = [(1, "Ships and cargo"), (2, "Arrivals by month"), (2, "Work that was done"), (1, "Money"), (2, "Costs"), (3, "Repairs"),
                   (4, "Cranes"), (1, "Outlook")]
REPORT_ITEMS = [(1, "The quay was cleaned"), (2, "of mud"), (3, "with two pumps"), (2, "of old rope"), (1, "The lamps were painted"),
                (1, "Measure the channel"), (1, "Order the buoys"), (2, "red ones"), (2, "green ones"), (1, "Set the buoys")]
REPORT_SIMPLE_ROWS = [["Month", "Ships", "Cargo (t)"], ["January", "112", "4,318.5"], ["February", "98", ""], ["March", "131", "5,006.25"],
                      ["Total", "341", "9,324.75"]]
REPORT_ROWS = REPORT_SIMPLE_ROWS + [
    ["Item", "Cost", None, "Paid by"], [None, "2025", "2026", None], ["Large crane", "12,400", "9,150", "Harbour"],
    ["Small crane", "3,000", "", "Town"], ["All cranes together", None, "24,550", "Both"], ["Sign", "Meaning"], ["left | right", "a choice"],
    ["*", "a star"]]
REPORT_TEXT = [
    "Ships and cargo", "The office counted every ship that tied up for longer than an hour.", "the page of the office",
    "nobody has yet found a fault in them.", "Arrivals by month", "January", "4,318.5", "9,324.75",
    "February has no figure because the scale was broken.", "The quay was cleaned", "with two pumps", "The lamps were painted",
    "Measure the channel", "green ones", "Set the buoys", "Money", "Repairs", "The large crane was repaired twice; the small crane was sold.",
    "Large crane", "9,150", "24,550", "Outlook", "2 * 3 * 4 = 24, file_name_one, [brackets], <angles>,", "`ticks`, # hash, 5 < 6 & 7 > 2, $12",
    "First line of an address Second line of it", "left | right", "The end of the report."]
REPORT_PAGES = [(1, "Set the buoys"), (1, "Counted at the gate, not at the quay."), (2, "24,550"), (3, "The end of the report.")]
REPORT = {
    "title": "Yearly report of the harbour office", "headings": REPORT_HEADINGS, "items": REPORT_ITEMS, "rows": REPORT_ROWS,
    "in_order": REPORT_TEXT, "links": [("the page of the office", "https://harbour.example/lists")],
    "at_most": [("Harbour office, running header", 1), ("The end of the report.", 1)],
}
# What a line break cut in two stands here in pieces that were on one line; the footnote stands at the foot of the page.
REPORT_PDF_TEXT = [text for text in REPORT_TEXT if text not in ("First line of an address Second line of it",)]
REPORT_PDF = {
    "title": REPORT["title"], "headings": any_level(REPORT_HEADINGS), "in_order": REPORT_PDF_TEXT, "on_page": REPORT_PAGES, "pages": 3,
    "pictures": [], "at_most": [("The end of the report.", 1)],
    "rows": REPORT_SIMPLE_ROWS + [["Large crane", "12,400", "9,150", "Harbour"], ["Small crane", "3,000", "", "Town"], ["left | right", "a choice"]],
}

add("report-libreoffice.docx", "LibreOffice Writer 7.4", "headings, lists, merged cells, a footnote, page breaks, header and footer", "docx",
    pages=3, author="Ana Ferreira", on_page=REPORT_PAGES[:1] + REPORT_PAGES[2:], **REPORT)
add("report-libreoffice.odt", "LibreOffice Writer 7.4", "the same in OpenDocument", "odt", pages=3, author="Ana Ferreira",
    on_page=REPORT_PAGES[:1] + REPORT_PAGES[2:], **REPORT)
add("report-libreoffice.html", "LibreOffice Writer 7.4", "the same as a web page of a word processor", "html", author="Ana Ferreira", **REPORT)
add("report-libreoffice.epub", "LibreOffice Writer 7.4", "the same as a book whose headings are paragraphs like any other", "epub",
    rows=REPORT_SIMPLE_ROWS[1:], title=REPORT["title"], in_order=[text for text in REPORT_TEXT if "address" not in text])
add("report-libreoffice.pdf", "LibreOffice Writer 7.4", "the same, printed", "pdf", author="Ana Ferreira", **REPORT_PDF)
add("linearized-qpdf.pdf", "qpdf 11", "a PDF made for reading over a network", "pdf", **REPORT_PDF)
add("owner-password-qpdf.pdf", "qpdf 11", "AES-256 that needs a password to change the document and none to read it", "pdf", **REPORT_PDF)
add("owner-password-rc4-qpdf.pdf", "qpdf 11", "the same with RC4 of 40 bits", "pdf", **REPORT_PDF)
add("report-ghostscript.pdf", "Ghostscript 10", "a PDF written anew, its fonts with it", "pdf", **REPORT_PDF)
add("docx-named-as.zip", "LibreOffice Writer 7.4", "a document whose name has a wrong end", "docx", pages=3, **REPORT)
fails("user-password-qpdf.pdf", "qpdf 11", "AES-256 with a password to read", "pdf", "encrypted")
fails("secret-libreoffice.odt", "LibreOffice Writer 7.4", "OpenDocument with a password", "odt", "encrypted")
fails("secret-libreoffice.ods", "LibreOffice Calc 7.4", "OpenDocument with a password", "ods", "encrypted")
fails("secret-msoffcrypto.docx", "msoffcrypto-tool 6", "Office Open XML with a password", "docx", "encrypted")
fails("secret-msoffcrypto.xlsx", "msoffcrypto-tool 6", "Office Open XML with a password", "xlsx", "encrypted")
fails("secret-msoffcrypto.pptx", "msoffcrypto-tool 6", "Office Open XML with a password", "pptx", "encrypted")
fails("secret-libreoffice.doc", "LibreOffice Writer 7.4", "Word 97 with a password", "doc", "encrypted")
fails("secret-libreoffice.xls", "LibreOffice Calc 7.4", "Excel 97 with a password", "xls", "encrypted")
add("report-libreoffice.rtf", "LibreOffice Writer 7.4", "the same in Rich Text Format", "rtf", pages=3, author="Ana Ferreira",
    on_page=REPORT_PAGES[:1] + REPORT_PAGES[2:], **REPORT)
# What the format of Word 97 says of lists and headings is not asked: only the text, and the tables without merged cells.
add("report-libreoffice.doc", "LibreOffice Writer 7.4", "the same in the format of Word 97", "doc", title=REPORT["title"],
    in_order=[text for text in REPORT_TEXT if "address" not in text], rows=REPORT_SIMPLE_ROWS, at_most=REPORT["at_most"])

# --- Languages -------------------------------------------------------------------------------------------------------

WHOLE = [part for name, _, text, _ in LANGUAGES for part in (name, text)]
WORDS = [part for name, _, _, words in LANGUAGES for part in (name, words)]
LANGUAGE_HEADINGS = [(1, "Article 1")] + [(2, name) for name, *_ in LANGUAGES]
LEFT_TO_RIGHT = [each for each in LANGUAGES if each[1] not in ("ar", "he")]

for form in ("docx", "odt"):
    add(f"languages-libreoffice.{form}", "LibreOffice Writer 7.4", "eleven languages, two of them from right to left", form, pages=1,
        title="Article 1 in eleven languages", in_order=WHOLE, headings=LANGUAGE_HEADINGS)
add("languages-libreoffice.pdf", "LibreOffice Writer 7.4", "eleven languages, printed", "pdf", pages=1, pictures=[],
    title="Article 1 in eleven languages", in_order=WORDS, headings=any_level(LANGUAGE_HEADINGS))
add("languages-chromium.pdf", "Chromium", "eleven languages, printed; many fonts are Type 3", "pdf", pages=2, pictures=[], title="Article 1",
    in_order=WORDS, headings=any_level(LANGUAGE_HEADINGS))
add("languages-xelatex.pdf", "XeLaTeX, TeX Live 2022", "nine languages, printed", "pdf", pages=2, pictures=[], title="Article 1",
    in_order=[part for name, _, _, words in LEFT_TO_RIGHT for part in (name, words)],
    headings=[(None, "Article 1")] + [(None, name) for name, *_ in LEFT_TO_RIGHT])
add("languages-ebooklib.epub", "EbookLib 0.20", "a chapter for each language", "epub", pages=len(LANGUAGES), title="Article 1",
    page_names=[name for name, *_ in LANGUAGES], in_order=WHOLE, headings=[(2, name) for name, *_ in LANGUAGES])
add("languages-utf-8.txt", "Python 3.11", "UTF-8 without a mark", "txt", in_order=[text for _, _, text, _ in LANGUAGES])
add("languages-utf-16be.txt", "Python 3.11", "UTF-16, the high byte first", "txt", in_order=[text for _, _, text, _ in LANGUAGES])
add("cid-reportlab.pdf", "reportlab 5.1", "fonts of Japanese, Chinese and Korean by name, with the standard's code tables", "pdf", pages=1,
    pictures=[], title="Fonts by name", author="Pia Wolf", in_order=["すべての人間は自由である", "人人生而自由", "모든 인간은 자유롭다"])

# --- Other documents of word processors ------------------------------------------------------------------------------

for form in ("docx", "odt"):
    add(f"changes-libreoffice.{form}", "LibreOffice Writer 7.4", "tracked changes and a comment", form, pages=1, title="Contract for the ferry",
        author="Cem Arslan", headings=[(1, "Contract for the ferry")],
        in_order=["The ferry sails every working day at seven in the morning.", "The fare is four coins", "for each person.", "Children ride free.",
                  "Signed at the harbour."],
        absent=["seventeen obsolete words", "A whole withdrawn paragraph."])

NOTICE_TEXT = ["The gate is open from six to ten.", "On Sundays it opens at eight.",
               "Column text begins here. The characteristics of extraordinarily complicated administrative responsibilities demonstrate "
               "themselves particularly in international organisations. Representatives communicate the fundamental requirements of "
               "transportation and telecommunication.",
               "Straightforward documentation counteracts these circumstances considerably.", "The last words of the columns stand here.",
               "Rules of the gate", "Nobody climbs over the gate.", "outer left", "inner left", "End of the notice."]
NOTICE = {"title": "Notice at the gate", "author": "Dora Lind", "at_most": [("The box says: keep the gate shut.", 1), ("inner left", 1)]}
for form in ("docx", "odt"):
    add(f"notice-libreoffice.{form}", "LibreOffice Writer 7.4", "columns, a text box, an endnote, a table in a table, a table of contents", form,
        pages=(1, 2), in_order=NOTICE_TEXT, headings=[(1, "Opening hours"), (1, "Rules of the gate")],
        on_page=[(1, "The box says: keep the gate shut."), (1, "inner right"), (1, "below the inner table")], **NOTICE)
add("notice-libreoffice.pdf", "LibreOffice Writer 7.4", "the same, printed: two columns with hyphens, a text box", "pdf", pages=2, pictures=[],
    in_order=[text for text in NOTICE_TEXT if not text.startswith(("outer", "inner"))],
    headings=[(None, "Opening hours"), (None, "Rules of the gate")],
    on_page=[(1, "keep the gate shut"), (1, "inner right"), (1, "below the inner table"), (2, "Except on the day of the regatta.")], **NOTICE)

MEMO = {
    "pages": 2, "title": "Memo about the lamps", "author": "Gil Santos",
    "in_order": ["Lamps on the quay", "What is broken", "Of forty lamps, seven are dark. See the map.", "What we do", "Buy seven bulbs",
                 "of the long kind", "Borrow the ladder", "Switch the power on", "Picture 1: where the lamps stand", "34 to 40", "Who does it",
                 "By day", "Hana", "Light is cheaper than a wet foot.", "The second page of the memo."],
    "on_page": [(1, "Light is cheaper"), (2, "The second page of the memo.")],
    "headings": [(1, "What is broken"), (2, "What we do"), (2, "Who does it")],
    "items": [(1, "Buy seven bulbs"), (1, "Borrow the ladder"), (1, "Switch the power off"), (1, "Switch the power on")],
    "rows": [["Lamp", "State", None], ["1 to 20", "bright", "none"], ["21 to 33", "bright", None], ["34 to 40", "dark", "seven bulbs"]],
    "links": [("the map", "https://harbour.example/map?lamp=7&side=east")],
    "at_most": [("running header", 1), ("running footer", 1), ("Hana", 1)],
}
add("memo-python-docx.docx", "python-docx 1.2", "lists by style, merged cells, a table in a cell, a picture, header and footer", "docx", **MEMO)
add("macro-memo.docm", "python-docx 1.2, LibreOffice Calc 7.4", "the same with a macro", "docx", absent=["SailAway", "that nobody reads"], **MEMO)

LONG_HEADINGS = [(1 if page % 10 == 1 else 2, f"Page {page} of the day book") for page in range(1, 61)]
LONG_TEXT = [part for page in range(1, 61) for part in (f"Page {page} of the day book", sentence(page * 40))]
LONG_PAGES = [(page, sentence(page * 40)) for page in (1, 2, 17, 30, 59, 60)]
LONG = {"pages": 60, "title": "Day book of the harbour", "author": "Jun Mori", "on_page": LONG_PAGES}
add("long-python-docx.docx", "python-docx 1.2", "sixty pages", "docx", headings=LONG_HEADINGS, in_order=LONG_TEXT,
    at_most=[("Day book, running header", 1)], **LONG)
add("long-libreoffice.odt", "LibreOffice Writer 7.4", "the same sixty pages in OpenDocument", "odt", headings=LONG_HEADINGS, in_order=LONG_TEXT,
    at_most=[("Day book, running header", 1)], **LONG)
add("long-libreoffice.pdf", "LibreOffice Writer 7.4", "the same sixty pages, printed, with a running header", "pdf", pictures=[],
    headings=any_level(LONG_HEADINGS), in_order=LONG_TEXT, **LONG)

BOOK = [(chapter, section, sentence((1000 + chapter * 100 + section * 10) * 3)) for chapter in range(1, 13) for section in range(1, 6)]
add("long-lualatex.pdf", "LuaLaTeX, TeX Live 2022", "a book of sixty-one pages with running heads, hyphens and ligatures", "pdf", pages=61, pictures=[],
    title="The day book of the lighthouse", author="Vera Moss", in_order=[words for *_, words in BOOK],
    headings=[(None, f"{chapter}.{section} Week {section} of month {chapter}") for chapter, section, _ in BOOK],
    on_page=[(1 + number, words) for number, (*_, words) in enumerate(BOOK, 1) if number in (1, 7, 31, 60)])

# --- A paper from pandoc ---------------------------------------------------------------------------------------------

PAPER_TEXT = ["Question", "Tides move water, and the harbour wants to know how fast.", "The formula is", "velocity", "distance", "time",
              "for a circle of radius", "Measured values", "North", "12.5", "Method", "Drop the float", "count the waves", "Lift the float",
              "one boat", "with two oars", "Code", "def speed(distance, time):", "return distance / time # knots", "Answer",
              "The tide is slow in the south and fast in the middle, see the chart.", "Nobody waits for the tide.",
              "the rise and fall of the sea", "The last sentence of the paper."]
PAPER_HEADINGS = [(1, "Question"), (2, "Measured values"), (2, "Method"), (3, "Code"), (1, "Answer")]
PAPER_ROWS = [["Station", "Depth (m)", "Speed (kn)"], ["North", "12.5", "1.2"], ["South", "8.0", "0.9"], ["Middle", "", "2.4"]]
PAPER = {"title": "On the speed of tides", "in_order": PAPER_TEXT, "headings": PAPER_HEADINGS, "rows": PAPER_ROWS,
         "items": [(1, "Drop the float"), (2, "count the waves"), (1, "Lift the float"), (1, "one boat"), (2, "with two oars"), (1, "one watch")],
         "links": [("the chart", "https://harbour.example/chart")]}
add("paper-pandoc.docx", "pandoc 2.17", "formulas in Office Math, code, a footnote", "docx", author="Sven Aalto", **PAPER)
add("paper-pandoc.odt", "pandoc 2.17", "formulas in MathML, code, a footnote", "odt", author="Sven Aalto", **PAPER)
add("paper-pandoc.html", "pandoc 2.17", "formulas in MathML, code, a footnote", "html", author="Sven Aalto", absent=["white-space: pre-wrap"], **PAPER)
add("paper-pandoc.epub", "pandoc 2.17", "a book with a title page", "epub", author="Sven Aalto", pages=(2, 5), **PAPER)
add("paper-pandoc.pdf", "XeLaTeX, TeX Live 2022", "the same, printed", "pdf", pages=2, pictures=[], title="On the speed of tides", author="Sven Aalto",
    in_order=[text for text in PAPER_TEXT if text not in ("velocity", "distance", "time")], headings=any_level(PAPER_HEADINGS), rows=PAPER_ROWS)

TEX = {
    "title": "Efficient offloading of affluent ferries", "author": "Ulla Finch", "pages": 2, "pictures": [],
    "headings": [(None, text) for text in ("1 Introduction", "2 Model", "2.1 Measured values", "3 Discussion", "4 Conclusion", "References")],
    "rows": [["Ferry", "Speed", "Load"], ["Aurora", "12.5", "310"], ["Borealis", "9.75", "1200"], ["Cirrus", "14.0", "85"]],
    "on_page": [(1, "The footnote names the archive."), (2, "A book about ferries")],
}
TEX_TEXT = [
    "Efficient offloading of affluent ferries", "Ulla Finch", "We find that efficient offloading of ferries suffices to fill five warehouses.",
    "The first difficulty is the affluent fisherman, who refuses to shuffle his fish.", "The opening sentence of the introduction is short.",
    "Administrative responsibilities in international organisations require extraordinarily comprehensive documentation",
    "Straightforward characteristics of transportation counteract disproportionately complicated circumstances",
    "The closing sentence of the introduction mentions the fjord.", "has the energy", "The naïve reader asks about Gödel, Ångström and Dvořák",
    "lists what the harbour measured on three days.", "The Aurora is the oldest.", "The Borealis is the slowest.",
    "Comprehensive investigations into unsatisfactory circumstances consistently underestimate organisational inertia; simultaneously,",
    "over-optimistic predictions discredit otherwise trustworthy institutions.",
    "The sentence before the conclusion speaks of driftwood.", "Ferries are offloaded efficiently when the first officer is satisfied.",
    "The final sentence of the paper ends here."]
add("paper-pdflatex.pdf", "pdfLaTeX, TeX Live 2022", "two columns, formulas, ligatures, hyphens, a table", "pdf", in_order=TEX_TEXT, **TEX)
add("paper-ot1-pdflatex.pdf", "pdfLaTeX, TeX Live 2022", "the same in TeX's first fonts, whose accents are signs of their own", "pdf",
    in_order=TEX_TEXT, **TEX)
add("paper-type3-pdflatex.pdf", "pdfLaTeX, TeX Live 2022", "the same in fonts that are pictures of letters", "pdf", in_order=TEX_TEXT, **TEX)
add("object-streams-qpdf.pdf", "qpdf 11", "the same with its parts in compressed streams", "pdf", in_order=TEX_TEXT, **TEX)
add("paper-1.3-ghostscript.pdf", "Ghostscript 10", "the same as PDF 1.3, in letters of ASCII only", "pdf", in_order=TEX_TEXT, **TEX)

# --- Web pages -------------------------------------------------------------------------------------------------------

PAGE_HEADINGS = [(1, "The harbour at night"), (2, "Lights"), (3, "Times"), (4, "Small print"), (1, "The second page")]
PAGE_TEXT = ["The harbour at night", "The office is unprejudiced, efficient & affluent: 5 < 6.", "the rules of the night", "White means open",
             "ring the bell", "wait for the clerk", "Green means nothing", "North", "18:00", "never at night",
             "if (dark) {", "light(lamp); // both of them", "Columns begin with these words.",
             "Misunderstandings nevertheless occur wherever telecommunication is insufficiently established.",
             "The harbour master listens to everybody who comes before midnight", "Columns end with these words.",
             "Who sleeps at the wheel wakes on the sand.", "The second page", "Line one of the address", "Line two of the address",
             "a dark stone to write on", "Last words of the page."]
add("harbour.html", "an editor", "a web page with lists, merged cells, code, a script and a link that runs one", "html", title="The harbour at night",
    author="Rosa Lund", in_order=PAGE_TEXT, headings=PAGE_HEADINGS,
    items=[(1, "White means open"), (1, "Red means closed"), (2, "ring the bell"), (2, "wait for the clerk"), (1, "Green means nothing")],
    rows=[["Gate", "Open", None], [None, "from", "to"], ["North", "18:00", "02:00"], ["South", "never at night", None], ["West", "", "23:30"]],
    links=[("the rules of the night", "https://harbour.example/night?a=1&b=2")],
    absent=["words of a script", "column-count", "javascript:"])
add("page-chromium.pdf", "Chromium", "the same, printed: two columns, a table", "pdf", pages=2, pictures=[], title="The harbour at night",
    in_order=PAGE_TEXT, headings=any_level(PAGE_HEADINGS), rows=[["North", "18:00", "02:00"], ["West", "", "23:30"]],
    on_page=[(1, "Opening times of the gates"), (1, "wakes on the sand"), (2, "Last words of the page.")], absent=["words of a script"])
add("windows-1252.html", "Python 3.11", "a web page that names Windows-1252", "html", title="Fähre – Preise", headings=[(1, "Fähre")],
    in_order=["Fähre", "Ein Erwachsener zahlt 4 €."])
add("shift-jis.html", "Python 3.11", "a web page that names Shift_JIS", "html", title="お知らせ", headings=[(1, "港")], in_order=["港", LANGUAGES[6][2]])

# --- Workbooks -------------------------------------------------------------------------------------------------------

FIGURES_ROWS = [["Ship", "Arrived", "Cargo", "Share", "Fee", "Paid"], ["Aurora", "2026-01-05", "1200", "25%", "12.34", None],
                ["Borealis", "2026-02-28", "2400.5", "50%", "99.95", None], ["Cirrus", "", "1199.5", "25%", "100.25", ""],
                ["All", "", "4800", "100%", "", ""]]
FIGURES_MORE = [["When", None, "Note"], ["06:30", "18:45", "pipe | and *star*"], ["line one line two", "-7.125", "Grüße, 漢字, привет"],
                [None, "0.1", "007"]]
FIGURES = {"pages": 3, "page_names": ["Ships", "Times & notes", "Last sheet"], "rows": FIGURES_ROWS + FIGURES_MORE,
           "in_order": ["Ship", "Aurora", "2400.5", "4800", "When", "Grüße, 漢字, привет", "007", "Only one cell"],
           "on_page": [(1, "Borealis"), (2, "привет"), (3, "Only one cell")]}
add("figures-libreoffice.xlsx", "LibreOffice Calc 7.4", "sheets with formulas, dates, times, percentages, merged and empty cells", "xlsx",
    title="Figures of the harbour", author="Eli Novak", **FIGURES)
add("macro-libreoffice.xlsm", "LibreOffice Calc 7.4", "the same with a macro", "xlsx", absent=["SailAway", "that nobody reads"], **FIGURES)
add("figures-libreoffice.ods", "LibreOffice Calc 7.4", "the same in OpenDocument", "ods", title="Figures of the harbour", **FIGURES)
add("figures-libreoffice.xls", "LibreOffice Calc 7.4", "the same in the format of Excel 97", "xls", **FIGURES)
add("figures-libreoffice.csv", "LibreOffice Calc 7.4", "the first sheet with commas, as shown", "csv", rows=FIGURES_ROWS)
add("figures-libreoffice.tsv", "LibreOffice Calc 7.4", "the first sheet with tabs, as shown", "tsv", rows=FIGURES_ROWS)
add("figures-libreoffice.pdf", "LibreOffice Calc 7.4", "the sheets, printed without lines", "pdf", pages=3, pictures=[],
    title="Figures of the harbour", in_order=FIGURES["in_order"], on_page=FIGURES["on_page"], rows=FIGURES_ROWS[:3])
add("stores-openpyxl.xlsx", "openpyxl 3.1", "formulas without results, a hidden and an empty sheet, a comment, a cell far away", "xlsx",
    pages=(3, 5), title="Stores of the harbour", author="Kai Berg",
    in_order=["Thing", "Rope (m)", "far away", "Shift", "Lea", "Good", "Tar"], on_page=[(1, "far away"), (2, "Keeper")],
    rows=[["Shift", None, "Keeper"], ["from", "to", None], ["6", "14", "Lea"], ["14", "22", "Max"], ["Good", "Price"], ["Tar", "19.9"]])
TOTALS = []
for row in range(1, 2001):
    TOTALS.append((TOTALS[-1] if TOTALS else 0) + row % 7 * 10 - row % 5)
add("ledger-xlsxwriter.xlsx", "XlsxWriter 3.3", "2,000 rows, strings inside the sheet, dates from 1904, text in several faces", "xlsx", title="Ledger",
    author="Mona Quist",
    in_order=[f"entry {row} of the ledger" for row in (1, 2, 500, 999, 1500, 2000)] + ["one two three", "spring tide", "tides"],
    rows=[["Number", "Day", "Text", "In", "Out", "Sum"], ["1", "2026-01-02", "entry 1 of the ledger", "10", "1", str(TOTALS[0])],
          ["2000", "2026-06-25", "entry 2000 of the ledger", "50", "0", str(TOTALS[-1])]])

# --- Slides ----------------------------------------------------------------------------------------------------------

TALK_TEXT = ["A new ferry for the harbour", "Why a ferry", "the bridge is old", "the road is long", "What it costs", "Tickets pay for the fuel",
             "Adult", "4.00", "What comes next", "A test in spring", "A vote in summer"]
for form in ("pptx", "odp"):
    add(f"talk-libreoffice.{form}", "LibreOffice Impress 7.4", "slides with lists, a table and notes", form, pages=3, title="A new ferry",
        author="Fay Okoro",
        page_names=["A new ferry for the harbour", "What it costs", "What comes next"],
        headings=[(None, "A new ferry for the harbour"), (None, "What it costs"), (None, "What comes next")],
        items=[(1, "Why a ferry"), (2, "the bridge is old"), (2, "the road is long"), (1, "What it costs"), (1, "Tickets pay for the fuel")],
        in_order=TALK_TEXT, rows=[["Ticket", "Price"], ["Adult", "4.00"], ["Child", "0.00"]],
        on_page=[(1, "Greet the mayor before you begin."), (2, "Show the price list on paper too."), (3, "Ask for questions.")])
add("talk-libreoffice.ppt", "LibreOffice Impress 7.4", "the same in the format of PowerPoint 97", "ppt", pages=3,
    in_order=[text for text in TALK_TEXT if text not in ("Adult", "4.00")], on_page=[(1, "Why a ferry"), (2, "Adult"), (3, "A vote in summer")])
add("talk-libreoffice.pdf", "LibreOffice Impress 7.4", "the same, printed without notes", "pdf", pages=3, pictures=[], title="A new ferry",
    in_order=TALK_TEXT, on_page=[(1, "the road is long"), (2, "Adult"), (3, "A vote in summer")])
add("storm-python-pptx.pptx", "python-pptx 1.0", "slides out of the order of their files, groups, merged cells, a chart, notes", "pptx", pages=4,
    title="Storm warning", author="Nils Holm", page_names=["Storm warning", "Who watches", "Before the storm"],
    headings=[(None, "Storm warning"), (None, "Who watches"), (None, "Before the storm")],
    in_order=["What to do before the wind comes", "Who watches", "Monday", "Before the storm", "Tie the boats", "Close the hatches",
              "Inside the group", "Inside the inner group"],
    items=[(1, "Tie the boats"), (2, "with two ropes"), (3, "never with wire"), (1, "Close the hatches")],
    rows=[["Night", "Watch", None], ["Monday", "Oda", "Per"], ["Tuesday", "Ravi", ""]],
    on_page=[(1, "Speak slowly here."), (2, "Ask Ravi whether Tuesday is right."), (3, "Close the hatches"), (4, "Inside the group")])
add("slides-pandoc.pptx", "pandoc 2.17", "a title, a section, a table, notes", "pptx", pages=5, title="Ropes and knots", author="Tove Krag",
    page_names=["Ropes and knots", "Knots", "Bowline", "Strengths", "Last slide"],
    in_order=["Ropes and knots", "Knots", "Bowline", "makes a loop", "that does not slip", "Strengths", "Hitch", "Last slide", "Buy dry rope."],
    rows=[["Knot", "Strength"], ["Bowline", "65 %"], ["Hitch", "55 %"]], on_page=[(3, "Show the bowline with the red rope.")])

# --- PDF of other kinds ----------------------------------------------------------------------------------------------

INVOICE = {"title": "Invoice 2026-117", "author": "Pia Wolf", "pages": 1, "pictures": [], "headings": [(None, "Invoice")],
           "in_order": ["Invoice", "Größe und Maße: siehe unten. “Paid in full” – thank you…", "Anchor chain", "281.00", "Überführung", "415.00",
                        "Please pay within 14 days."],
           "rows": [["Position", "Amount", "Price (€)", "Sum (€)"], ["Anchor chain", "2", "140.50", "281.00"], ["Tar, black", "10", "7.90", "79.00"],
                    ["Überführung", "1", "55.00", "55.00"], ["Total", "", "", "415.00"]]}
add("invoice-reportlab.pdf", "reportlab 5.1", "fonts that are not embedded, a table with lines", "pdf", **INVOICE)
add("uncompressed-qpdf.pdf", "qpdf 11", "the same without any compression", "pdf", **INVOICE)
add("wrong-xref.pdf", "reportlab 5.1, then changed", "a wrong place for the table of parts, which readers repair", "pdf", **INVOICE)
add("pdf-named-as.txt", "reportlab 5.1", "a PDF whose name has a wrong end", "pdf", **INVOICE)
add("turned-reportlab.pdf", "reportlab 5.1", "turned pages, a line that climbs, letters one by one, columns drawn line by line", "pdf", pages=5,
    pictures=[], title="Turned pages", author="Pia Wolf",
    in_order=[f"Line {row} of the page turned by {angle}" for angle in (0, 90, 180, 270) for row in (1, 2, 3)]
    + ["Every letter has its own place"],
    on_page=[(3, "Line 1 of the page turned by 180"), (5, "This line climbs the page"), (5, sentence(5407)), (5, sentence(5413))])
add("form-reportlab.pdf", "reportlab 5.1", "a form whose fields hold text", "pdf", pages=1, pictures=[], title="Form for a berth",
    in_order=["Name of the ship", "Length in metres", "Sign at the office."], on_page=[(1, "Aurora Minor"), (1, "12.75")])
add("scan-with-text-reportlab.pdf", "reportlab 5.1", "a picture of a page with its text laid unseen above it", "pdf", pages=1, pictures=[],
    in_order=["Recognised words lie unseen above the picture", "and can be found all the same."])
add("mixed-qpdf.pdf", "qpdf 11, Pillow 13", "pages of text and scanned pages", "pdf", pages=5, pictures=[2, 4],
    in_order=[f"Page {number} has letters and words." for number in (1, 3, 5)], on_page=[(3, "Page 3 has letters"), (5, "Page 5 has letters")])
fails("scan-pillow.pdf", "Pillow 13", "scanned pages only", "pdf", "only-pictures")
fails("only-picture.docx", "python-docx 1.2", "a picture and no text", "docx", "only-pictures")
fails("only-pictures.pptx", "python-pptx 1.0", "slides of pictures and no text", "pptx", "only-pictures")
fails("blank.docx", "python-docx 1.2", "a document without content", "docx", "empty")
fails("blank-reportlab.pdf", "reportlab 5.1", "a page without content", "pdf", "empty")

# --- Text, tables and data -------------------------------------------------------------------------------------------

PROSE = {"in_order": ["The ferry “Møwe” leaves at 7:05 – not at 7:00.", "A ticket costs 4 € for adults; naïve guests pay 5 €.",
                      "* this star begins a line, and # this hash does not # this hash does", "An indented line.", "Last line."]}
add("prose-utf-8.txt", "Python 3.11", "UTF-8 without a mark, signs that mean something in Markdown", "txt", **PROSE)
add("prose-utf-8-bom.txt", "Python 3.11", "UTF-8 with a mark", "txt", absent=["\ufeff"], **PROSE)
add("prose-utf-16le.txt", "Python 3.11", "UTF-16, the low byte first", "txt", absent=["\ufeff"], **PROSE)
add("prose-windows-1252.txt", "Python 3.11", "Windows-1252", "txt", **PROSE)
add("notice-shift-jis.txt", "Python 3.11", "Shift_JIS, with letters whose second byte is a backslash", "txt",
    in_order=["港のお知らせ", LANGUAGES[6][2], "表示とソースの能力は十分である。"])
add("long-prose.txt", "Python 3.11", "200 KB of prose", "txt", in_order=[paragraph(number) for number in range(0, 300, 7)])
add("notes.md", "an editor", "Markdown", "md",
    headings=[(1, "Notes of the harbour master"), (2, "Tides"), (3, "Winds")],
    rows=[["Day", "High", "Low"], ["Monday", "06:12", "12:30"], ["Tuesday", "07:01", "13:20"]],
    items=[(1, "Look at the gauge"), (2, "every hour"), (1, "Write it down"), (1, "North"), (1, "East")],
    links=[("link", "https://harbour.example/notes")],
    in_order=["Some slanted and heavy words, a link, and code.", "# this is a comment and no heading level = gauge * 2",
              "A calm sea never made a good sailor."])
MEMBERS = {"rows": [["Name", "Town", "Remark", "Sum"], ["Müller, Jörg", "Köln", 'said "yes"', "1.204,50"], ["O'Neil", "Cork", "two lines", ""],
                    ["Åberg", "Malmö", "a | b", "-3"]]}
add("members-comma.csv", "Python 3.11", "quotes, line breaks and bars in cells", "csv", **MEMBERS)
add("members-semicolon.csv", "Python 3.11", "semicolons, Windows-1252", "csv", **MEMBERS)
add("members.tsv", "Python 3.11", "tabs", "tsv", **MEMBERS)
add("gauge.csv", "Python 3.11", "2,500 rows", "csv", in_order=[f"gauge {number}" for number in (0, 1, 1250, 2499)],
    rows=[["time", "level", "wind", "station"], ["2026-02-01T00:00", "0.0", "0", "gauge 0"], ["2026-02-27T00:45", "0.99", "3", "gauge 2499"]])
add("harbour.json", "Python 3.11", "nested values, escapes in strings", "json",
    in_order=["Nordhafen", "berths", "4.25", "Aurora", "3.5", "Grüße", "<b>not bold</b> *not* | `code`"])
add("one-line.json", "Python 3.11", "30 KB in one line", "json", in_order=[paragraph(number, 1) for number in (0, 1, 99, 199)])

# --- Mail and books --------------------------------------------------------------------------------------------------

BERTH = "is berth number seven free on Friday? The ship is called “Möwe”."
add("plain.eml", "Python 3.11", "quoted-printable", "eml", title="Berth number seven", in_order=["Dear office,", BERTH, "Yours, Quinn"])
add("alternative.eml", "Python 3.11", "the same text as plain text and as HTML", "eml", title="Prices – Preisliste für März",
    in_order=["Our prices:", "Adult", "4.00", "Child", "0.00", "These words stand in both forms."],
    at_most=[("These words stand in both forms.", 1)], absent=["color: navy"])
add("attachments.eml", "Python 3.11", "a document and a table attached", "eml", title="Papers for the crane", in_order=["The papers are attached."],
    absent=["UEsDB"])
add("forwarded.eml", "Python 3.11", "a mail inside of a mail", "eml", title="Fwd: Berth number seven", in_order=["Please answer this mail.", BERTH],
    at_most=[("Please answer this mail.", 1)])
add("latin-1.eml", "Python 3.11", "ISO 8859-1, encoded words in the subject", "eml", title="Grüße aus Malmö",
    in_order=["Smörgåsbord på bryggan, tack."])
add("only-html.eml", "Python 3.11", "HTML only, in base64", "eml", title="お知らせ", in_order=[LANGUAGES[6][2]], absent=["script text"])
add("sea-ebooklib.epub", "EbookLib 0.20", "chapters out of the order of their names, a table, a script", "epub", pages=3, title="Three ways to the sea",
    author="Olga Petrova", page_names=["By road", "By rail", "By river"], headings=[(1, "By road"), (1, "By rail"), (1, "By river")],
    in_order=["The road goes straight down to the water.", "past the well", "The train stops at the pier.", "The river takes its time. See the train."],
    items=[(1, "past the mill"), (1, "past the well")], rows=[["Train", "Leaves"], ["Slow", "07:10"]],
    on_page=[(2, "The train stops at the pier.")], absent=["script text"])

# --- Files that cannot be read ---------------------------------------------------------------------------------------

fails("nothing.txt", "Python 3.11", "no bytes", "txt", "empty")
fails("white-space.txt", "Python 3.11", "spaces and line breaks only", "txt", "empty")
fails("picture.png", "Pillow 13", "a picture", "png", "only-pictures")
fails("half.docx", "python-docx 1.2, then cut", "the first half of a document", "docx", "damaged")
fails("half.pdf", "reportlab 5.1, then cut", "the first half of a document", "pdf", "damaged")

names = [each["file"] for each in ALL]
there = {path.name for path in FILES.iterdir()}
assert len(names) == len(set(names)), "a file is listed twice"
assert set(names) == there, f"listed and absent, or there and not listed: {sorted(set(names) ^ there)}"
TARGET.write_text(json.dumps(ALL, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
print(f"{len(ALL)} documents")
