"""Writes the sources of LibreOffice's documents as flat OpenDocument files, which LibreOffice then saves in each format."""

import pathlib
import sys
from xml.sax.saxutils import escape

from texts import LANGUAGES

OUT = pathlib.Path(sys.argv[1])

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
        "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
        "xlink": "http://www.w3.org/1999/xlink",
        "dc": "http://purl.org/dc/elements/1.1/",
        "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
        "number": "urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0",
        "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
        "of": "urn:oasis:names:tc:opendocument:xmlns:of:1.2",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }.items()
)

STYLES = """
<style:style style:name="Standard" style:family="paragraph">
 <style:paragraph-properties fo:margin-bottom="0.2cm"/><style:text-properties fo:font-size="11pt" style:font-name="Liberation Serif"/>
</style:style>
<style:style style:name="Heading_20_1" style:display-name="Heading 1" style:family="paragraph" style:parent-style-name="Standard"
 style:default-outline-level="1"><style:text-properties fo:font-size="20pt" fo:font-weight="bold"/></style:style>
<style:style style:name="Heading_20_2" style:display-name="Heading 2" style:family="paragraph" style:parent-style-name="Standard"
 style:default-outline-level="2"><style:text-properties fo:font-size="16pt" fo:font-weight="bold"/></style:style>
<style:style style:name="Heading_20_3" style:display-name="Heading 3" style:family="paragraph" style:parent-style-name="Standard"
 style:default-outline-level="3"><style:text-properties fo:font-size="14pt" fo:font-weight="bold"/></style:style>
<style:style style:name="Heading_20_4" style:display-name="Heading 4" style:family="paragraph" style:parent-style-name="Standard"
 style:default-outline-level="4"><style:text-properties fo:font-size="12pt" fo:font-weight="bold" fo:font-style="italic"/></style:style>
<style:style style:name="Strong" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style>
<style:style style:name="Slanted" style:family="text"><style:text-properties fo:font-style="italic"/></style:style>
"""

AUTOMATIC = """
<style:page-layout style:name="A4"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin-top="2cm"
 fo:margin-bottom="2cm" fo:margin-left="2.2cm" fo:margin-right="2.2cm"/>
 <style:header-style><style:header-footer-properties fo:min-height="1cm"/></style:header-style>
 <style:footer-style><style:header-footer-properties fo:min-height="1cm"/></style:footer-style></style:page-layout>
<style:style style:name="HeadingOnNewPage" style:family="paragraph" style:parent-style-name="Heading_20_1">
 <style:paragraph-properties fo:break-before="page"/></style:style>
<style:style style:name="NewPage" style:family="paragraph" style:parent-style-name="Standard">
 <style:paragraph-properties fo:break-before="page"/></style:style>
<style:style style:name="Cell" style:family="table-cell"><style:table-cell-properties fo:border="0.5pt solid #000000"
 fo:padding="0.1cm"/></style:style>
<style:style style:name="TwoColumns" style:family="section"><style:section-properties><style:columns fo:column-count="2"
 fo:column-gap="0.8cm"/></style:section-properties></style:style>
<style:style style:name="Hyphens" style:family="paragraph" style:parent-style-name="Standard"><style:text-properties
 fo:hyphenate="true" fo:language="en" fo:country="US"/></style:style>
<style:style style:name="Box" style:family="graphic"><style:graphic-properties style:wrap="parallel" fo:border="0.5pt solid #000000"/>
</style:style>
<text:list-style style:name="Bullets">
 <text:list-level-style-bullet text:level="1" text:bullet-char="•"><style:list-level-properties text:space-before="0.5cm"
  text:min-label-width="0.5cm"/></text:list-level-style-bullet>
 <text:list-level-style-bullet text:level="2" text:bullet-char="–"><style:list-level-properties text:space-before="1cm"
  text:min-label-width="0.5cm"/></text:list-level-style-bullet>
 <text:list-level-style-bullet text:level="3" text:bullet-char="▪"><style:list-level-properties text:space-before="1.5cm"
  text:min-label-width="0.5cm"/></text:list-level-style-bullet>
</text:list-style>
<text:list-style style:name="Numbers">
 <text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."><style:list-level-properties
  text:space-before="0.5cm" text:min-label-width="0.7cm"/></text:list-level-style-number>
 <text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"><style:list-level-properties
  text:space-before="1.2cm" text:min-label-width="0.7cm"/></text:list-level-style-number>
</text:list-style>
"""


def meta(title, author):
    """The properties of a document."""
    return (
        f"<office:meta><dc:title>{escape(title)}</dc:title><meta:initial-creator>{escape(author)}</meta:initial-creator>"
        f"<dc:creator>{escape(author)}</dc:creator><meta:creation-date>2026-03-02T09:00:00</meta:creation-date></office:meta>"
    )


def text_document(name, title, author, body, header="", footer=""):
    """Writes a flat text document."""
    head = f"<style:header><text:p>{header}</text:p></style:header>" if header else ""
    foot = f"<style:footer><text:p>{footer}</text:p></style:footer>" if footer else ""
    (OUT / name).write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {NAMESPACES} office:version="1.3" '
        f'office:mimetype="application/vnd.oasis.opendocument.text">{meta(title, author)}'
        '<office:font-face-decls><style:font-face style:name="Liberation Serif" svg:font-family="\'Liberation Serif\'"/>'
        f"</office:font-face-decls><office:styles>{STYLES}</office:styles>"
        f"<office:automatic-styles>{AUTOMATIC}</office:automatic-styles>"
        '<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="A4">'
        f"{head}{foot}</style:master-page></office:master-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document>",
        encoding="utf-8",
    )


def h(level, text, style=None):
    """A heading."""
    style = style or f"Heading_20_{level}"
    return f'<text:h text:style-name="{style}" text:outline-level="{level}">{text}</text:h>'


def p(text, style="Standard"):
    """A paragraph; `text` is XML."""
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def items(style, *entries):
    """A list; an entry is a text, or a text with the entries below it."""
    out = []
    for entry in entries:
        text, below = (entry, ()) if isinstance(entry, str) else (entry[0], entry[1:])
        inner = items(style, *below) if below else ""
        out.append(f"<text:list-item>{p(text)}{inner}</text:list-item>")
    return f'<text:list text:style-name="{style}">{"".join(out)}</text:list>'


def cell(text, columns=1, rows=1):
    """A cell of a table, merged with those to its right and below it."""
    spans = f' table:number-columns-spanned="{columns}" table:number-rows-spanned="{rows}"' if columns * rows > 1 else ""
    return f'<table:table-cell table:style-name="Cell" office:value-type="string"{spans}>{p(text)}</table:table-cell>'


COVERED = "<table:covered-table-cell/>"


def table(name, columns, header_rows, rows):
    """A table; a row is a list of cells as XML or of texts."""

    def row(cells):
        inner = "".join(each if each.startswith("<table:") else cell(each) for each in cells)
        return f"<table:table-row>{inner}</table:table-row>"

    head = "".join(row(each) for each in rows[:header_rows])
    rest = "".join(row(each) for each in rows[header_rows:])
    head = f"<table:table-header-rows>{head}</table:table-header-rows>" if head else ""
    return f'<table:table table:name="{name}"><table:table-column table:number-columns-repeated="{columns}"/>{head}{rest}</table:table>'


def note(kind, number, text):
    """A footnote or endnote."""
    return (
        f'<text:note text:id="{kind}{number}" text:note-class="{kind}"><text:note-citation>{number}</text:note-citation>'
        f"<text:note-body>{p(text)}</text:note-body></text:note>"
    )


def report():
    """Headings, lists, tables, a footnote, a link, page breaks, header and footer."""
    body = (
        h(1, "Ships and cargo")
        + p(
            'The office counted <text:span text:style-name="Strong">every ship</text:span> that tied up for longer than an '
            'hour.' + note("footnote", 1, "Counted at the gate, not at the quay.") + ' The lists are '
            'on <text:a xlink:type="simple" xlink:href="https://harbour.example/lists">the page of the office</text:a>, and '
            'nobody has <text:span text:style-name="Slanted">yet</text:span> found a fault in them.'
        )
        + h(2, "Arrivals by month")
        + table(
            "Arrivals",
            3,
            1,
            [
                ["Month", "Ships", "Cargo (t)"],
                ["January", "112", "4,318.5"],
                ["February", "98", ""],
                ["March", "131", "5,006.25"],
                ["Total", "341", "9,324.75"],
            ],
        )
        + p("February has no figure because the scale was broken.")
        + h(2, "Work that was done")
        + items(
            "Bullets",
            ("The quay was cleaned", ("of mud", "with two pumps"), "of old rope"),
            "The lamps were painted",
        )
        + p("The next steps have an order:")
        + items("Numbers", "Measure the channel", ("Order the buoys", "red ones", "green ones"), "Set the buoys")
        + h(1, "Money", "HeadingOnNewPage")
        + p("This part says what the harbour earned and spent.")
        + h(2, "Costs")
        + h(3, "Repairs")
        + h(4, "Cranes")
        + p("The large crane was repaired twice; the small crane was sold.")
        + table(
            "Costs",
            4,
            2,
            [
                [cell("Item", rows=2), cell("Cost", columns=2), COVERED, cell("Paid by", rows=2)],
                [COVERED, "2025", "2026", COVERED],
                ["Large crane", "12,400", "9,150", "Harbour"],
                ["Small crane", "3,000", "", "Town"],
                [cell("All cranes together", columns=2), COVERED, "24,550", "Both"],
            ],
        )
        + h(1, "Outlook", "HeadingOnNewPage")
        + p("Signs that mean something in Markdown must be read as they are: 2 * 3 * 4 = 24, file_name_one, [brackets], &lt;angles&gt;, "
            "back\\slash, `ticks`, # hash, 5 &lt; 6 &amp; 7 &gt; 2, $12 and 100 % ~sure~.")
        + p("First line of an address<text:line-break/>Second line of it")
        + table("Signs", 2, 1, [["Sign", "Meaning"], ["left | right", "a choice"], ["*", "a star"]])
        + p("The end of the report.")
    )
    text_document(
        "report.fodt",
        "Yearly report of the harbour office",
        "Ana Ferreira",
        body,
        header="Harbour office, running header",
        footer='Sheet <text:page-number text:select-page="current">1</text:page-number> of the office',
    )


def languages():
    """Article 1 in many languages, under a heading each."""
    body = h(1, "Article 1") + "".join(h(2, name) + p(text) for name, _, text, _ in LANGUAGES)
    text_document("languages.fodt", "Article 1 in eleven languages", "Office of languages", body)


def changes():
    """Tracked changes and comments."""
    info = "<office:change-info><dc:creator>Bea</dc:creator><dc:date>2026-03-03T10:00:00</dc:date></office:change-info>"

    def region(number, kind, inner=""):
        return f'<text:changed-region xml:id="c{number}" text:id="c{number}"><text:{kind}>{info}{inner}</text:{kind}></text:changed-region>'

    comment = (
        "<office:annotation><dc:creator>Bea</dc:creator><dc:date>2026-03-03T10:05:00</dc:date>"
        "<text:p>Is this price still right?</text:p></office:annotation>"
    )
    body = (
        "<text:tracked-changes>"
        + region(1, "insertion")
        + region(2, "deletion", p("seventeen obsolete words"))
        + region(3, "insertion")
        + region(4, "deletion", p("A whole withdrawn paragraph."))
        + "</text:tracked-changes>"
        + h(1, "Contract for the ferry")
        + p(
            'The ferry sails <text:change-start text:change-id="c1"/>every working day<text:change-end text:change-id="c1"/>'
            '<text:change text:change-id="c2"/> at seven in the morning.'
        )
        + p(f"The fare is four coins{comment} for each person.")
        + p('<text:change-start text:change-id="c3"/>Children ride free.<text:change-end text:change-id="c3"/>')
        + p('<text:change text:change-id="c4"/>Signed at the harbour.')
    )
    text_document("changes.fodt", "Contract for the ferry", "Cem Arslan", body)


LEFT = (
    "The characteristics of extraordinarily complicated administrative responsibilities demonstrate themselves particularly "
    "in international organisations. Representatives communicate the fundamental requirements of transportation and "
    "telecommunication. Nevertheless, misunderstandings occur whenever representatives overestimate their interdependence. "
    "Straightforward documentation counteracts these circumstances considerably. "
)


def notice():
    """A section of two columns, a text box, an endnote, a table in a table, and a table of contents."""
    box = (
        '<draw:frame draw:style-name="Box" text:anchor-type="paragraph" svg:width="6cm" svg:height="1cm" svg:x="10cm" svg:y="0cm">'
        f"<draw:text-box>{p('The box says: keep the gate shut.')}</draw:text-box></draw:frame>"
    )
    inner = table("Inner", 2, 0, [["inner left", "inner right"]])
    outer = (
        '<table:table table:name="Outer"><table:table-column table:number-columns-repeated="2"/><table:table-row>'
        f'{cell("outer left")}<table:table-cell table:style-name="Cell">{inner}{p("below the inner table")}</table:table-cell>'
        "</table:table-row></table:table>"
    )
    contents = (
        '<text:table-of-content text:name="Contents"><text:table-of-content-source text:outline-level="2"/>'
        f"<text:index-body>{p('Opening hours<text:tab/>1')}{p('Rules of the gate<text:tab/>1')}</text:index-body>"
        "</text:table-of-content>"
    )
    columns = (
        '<text:section text:style-name="TwoColumns" text:name="Columns">'
        + p("Column text begins here. " + LEFT * 2, "Hyphens")
        + p("The last words of the columns stand here.", "Hyphens")
        + "</text:section>"
    )
    body = (
        contents
        + h(1, "Opening hours")
        + p(f"{box}The gate is open from six to ten." + note("endnote", 1, "Except on the day of the regatta."))
        + p("On Sundays it opens at eight.")
        + p("What follows stands in two columns.")
        + columns
        + h(1, "Rules of the gate")
        + p("Nobody climbs over the gate.")
        + outer
        + p("End of the notice.")
    )
    text_document("notice.fodt", "Notice at the gate", "Dora Lind", body)


def figures():
    """Several sheets: numbers, dates, percentages, formulas, truth values, merged cells, empty cells, a comment."""
    styles = """
<number:date-style style:name="NDate"><number:year number:style="long"/><number:text>-</number:text><number:month number:style="long"/>
<number:text>-</number:text><number:day number:style="long"/></number:date-style>
<number:percentage-style style:name="NPercent"><number:number number:decimal-places="0" number:min-decimal-places="0"
 number:min-integer-digits="1"/><number:text>%</number:text></number:percentage-style>
<number:time-style style:name="NTime"><number:hours number:style="long"/><number:text>:</number:text><number:minutes
 number:style="long"/></number:time-style>
<number:number-style style:name="NMoney"><number:number number:decimal-places="2" number:min-decimal-places="2"
 number:min-integer-digits="1" number:grouping="true"/></number:number-style>
<style:style style:name="Date" style:family="table-cell" style:data-style-name="NDate"/>
<style:style style:name="Percent" style:family="table-cell" style:data-style-name="NPercent"/>
<style:style style:name="Time" style:family="table-cell" style:data-style-name="NTime"/>
<style:style style:name="Money" style:family="table-cell" style:data-style-name="NMoney"/>
<style:style style:name="Wide" style:family="table-column"><style:table-column-properties style:column-width="2.6cm"/></style:style>
"""

    def s(text, extra=""):
        lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in text.split("\n"))
        return f'<table:table-cell office:value-type="string"{extra}>{lines}</table:table-cell>'

    def n(value, style="", formula=""):
        style = f' table:style-name="{style}"' if style else ""
        formula = f' table:formula="of:={escape(formula)}"' if formula else ""
        return f'<table:table-cell{style}{formula} office:value-type="float" office:value="{value}"/>'

    def percent(value, formula=""):
        formula = f' table:formula="of:={escape(formula)}"' if formula else ""
        return f'<table:table-cell table:style-name="Percent"{formula} office:value-type="percentage" office:value="{value}"/>'

    def date(value):
        return f'<table:table-cell table:style-name="Date" office:value-type="date" office:date-value="{value}"/>'

    def time(value):
        return f'<table:table-cell table:style-name="Time" office:value-type="time" office:time-value="{value}"/>'

    def truth(value):
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{value}"/>'

    empty = "<table:table-cell/>"

    def sheet(name, columns, *rows):
        inner = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
        return (
            f'<table:table table:name="{escape(name)}"><table:table-column table:style-name="Wide" '
            f'table:number-columns-repeated="{columns}"/>{inner}</table:table>'
        )

    body = (
        sheet(
            "Ships",
            6,
            [s("Ship"), s("Arrived"), s("Cargo"), s("Share"), s("Fee"), s("Paid")],
            [s("Aurora"), date("2026-01-05"), n(1200), percent(0.25, "[.C2]/[.C6]"), n(12.34, "Money"), truth("true")],
            [s("Borealis"), date("2026-02-28"), n(2400.5), percent(0.5, "ROUND([.C3]/[.C6];2)"), n(99.95, "Money"), truth("false")],
            [s("Cirrus"), empty, n(1199.5), percent(0.25, "ROUND([.C4]/[.C6];2)"), n(100.25, "Money"), empty],
            [empty],
            [s("All"), empty, n(4800, "", "SUM([.C2:.C4])"), percent(1, "SUM([.D2:.D4])"), empty, empty],
        )
        + sheet(
            "Times & notes",
            3,
            [s("When", ' table:number-columns-spanned="2" table:number-rows-spanned="1"'), COVERED, s("Note")],
            [time("PT06H30M00S"), time("PT18H45M00S"), s("pipe | and *star*")],
            [s("line one\nline two"), n(-7.125), s("Grüße, 漢字, привет")],
            [n(1e15), n(0.1), s("007")],
        )
        + sheet("Last sheet", 1, [s("Only one cell")])
    )
    (OUT / "figures.fods").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {NAMESPACES} office:version="1.3" '
        f'office:mimetype="application/vnd.oasis.opendocument.spreadsheet">{meta("Figures of the harbour", "Eli Novak")}'
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document>",
        encoding="utf-8",
    )


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (report, languages, changes, notice, figures):
        make()
