"""Writes documents with python-docx, openpyxl, XlsxWriter, python-pptx and EbookLib."""

import datetime
import io
import pathlib
import sys

import docx
import openpyxl
import pptx
import xlsxwriter
from docx.enum.text import WD_BREAK
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from ebooklib import epub
from openpyxl.comments import Comment
from PIL import Image, ImageDraw
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Cm

from texts import LANGUAGES, paragraph

BUILD = pathlib.Path(sys.argv[1])
OUT = pathlib.Path(sys.argv[2])


def picture():
    """A small drawing without letters."""
    image = Image.new("RGB", (240, 160), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 20, 120, 110), outline="black", width=4)
    draw.line((10, 150, 230, 30), fill="red", width=6)
    held = io.BytesIO()
    image.save(held, "PNG")
    held.seek(0)
    return held


def properties(document, title, author):
    """Sets title and author."""
    document.core_properties.title = title
    document.core_properties.author = author
    document.core_properties.created = datetime.datetime(2026, 3, 2, 9, 0)


def link(paragraph, text, to):
    """Adds a link, which python-docx has no call for."""
    hyperlink = OxmlElement("w:hyperlink")
    hyperlink.set(qn("r:id"), paragraph.part.relate_to(to, docx.opc.constants.RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    run = OxmlElement("w:r")
    held = OxmlElement("w:t")
    held.text = text
    run.append(held)
    hyperlink.append(run)
    paragraph._p.append(hyperlink)


def memo():
    """Styles, lists by style, merged cells, a table in a cell, header and footer, a picture, a link."""
    document = docx.Document()
    properties(document, "Memo about the lamps", "Gil Santos")
    document.sections[0].header.paragraphs[0].text = "Memo, running header"
    document.sections[0].footer.paragraphs[0].text = "Memo, running footer"
    document.add_paragraph("Lamps on the quay", style="Title")
    document.add_heading("What is broken", 1)
    words = document.add_paragraph("Of forty lamps, ")
    words.add_run("se").bold = True
    words.add_run("ven").bold = True
    words.add_run(" are dark. See ")
    link(words, "the map", "https://harbour.example/map?lamp=7&side=east")
    words.add_run(".")
    document.add_heading("What we do", 2)
    for text, style in [
        ("Buy seven bulbs", "List Bullet"),
        ("of the long kind", "List Bullet 2"),
        ("Borrow the ladder", "List Bullet"),
        ("Switch the power off", "List Number"),
        ("Change the bulbs", "List Number"),
        ("Switch the power on", "List Number"),
    ]:
        document.add_paragraph(text, style=style)
    document.add_picture(picture(), width=docx.shared.Cm(4))
    document.add_paragraph("Picture 1: where the lamps stand", style="Caption")
    table = document.add_table(rows=4, cols=3, style="Table Grid")
    for row, cells in enumerate([["Lamp", "State", ""], ["1 to 20", "bright", "none"], ["21 to 33", "bright", "none"], ["34 to 40", "dark", "seven bulbs"]]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(1, 2).merge(table.cell(2, 2)).text = "none"
    document.add_heading("Who does it", 2)
    outer = document.add_table(rows=1, cols=2, style="Table Grid")
    outer.cell(0, 0).text = "By day"
    inner = outer.cell(0, 1).add_table(rows=1, cols=2)
    inner.cell(0, 0).text = "Hana"
    inner.cell(0, 1).text = "Ivo"
    quote = document.add_paragraph("Light is cheaper than a wet foot.", style="Quote")
    quote.add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("The second page of the memo.")
    document.save(OUT / "memo-python-docx.docx")


def long_document():
    """Sixty pages, each with a heading and prose that no other page has."""
    document = docx.Document()
    properties(document, "Day book of the harbour", "Jun Mori")
    document.sections[0].header.paragraphs[0].text = "Day book, running header"
    for page in range(1, 61):
        document.add_heading(f"Page {page} of the day book", 1 if page % 10 == 1 else 2)
        for each in range(3):
            document.add_paragraph(paragraph(page * 10 + each, sentences=4))
        if page < 60:
            document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    document.save(OUT / "long-python-docx.docx")
    document.save(BUILD / "long-python-docx.docx")


def odd_documents():
    """A document that holds a picture only, and one that holds nothing."""
    document = docx.Document()
    document.add_picture(picture())
    document.save(OUT / "only-picture.docx")
    docx.Document().save(OUT / "blank.docx")


def workbook_openpyxl():
    """Formulas without results, merged cells, a comment, a hidden sheet, an empty sheet, a sheet with a strange name."""
    book = openpyxl.Workbook()
    book.properties.title = "Stores of the harbour"
    book.properties.creator = "Kai Berg"
    sheet = book.active
    sheet.title = "Stores"
    for row in [
        ["Thing", "Count", "Since", "Worth", "Share"],
        ["Rope (m)", 250, datetime.date(2025, 12, 24), 3.5, 0.75],
        ["Buoys", 12, datetime.datetime(2026, 1, 31, 14, 30), 80.25, 0.25],
        ["All", "=SUM(B2:B3)", None, None, "=SUM(E2:E3)"],
    ]:
        sheet.append(row)
    sheet["C2"].number_format = "yyyy-mm-dd"
    sheet["C3"].number_format = "yyyy-mm-dd hh:mm"
    sheet["E2"].number_format = sheet["E3"].number_format = "0%"
    sheet["A2"].comment = Comment("Half of it is wet.", "Kai Berg")
    sheet["G9"] = "far away"
    merged = book.create_sheet("Merged")
    merged.append(["Shift", None, "Keeper"])
    merged.append(["from", "to", None])
    merged.append([6, 14, "Lea"])
    merged.append([14, 22, "Max"])
    merged.merge_cells("A1:B1")
    merged.merge_cells("C1:C2")
    book.create_sheet("Nothing here")
    hidden = book.create_sheet("Old prices")
    hidden["A1"] = "prices of last year"
    hidden.sheet_state = "hidden"
    strange = book.create_sheet("Prices 2026 (€) 'new' & _final_")
    strange.append(["Good", "Price"])
    strange.append(["Tar", 19.9])
    book.save(OUT / "stores-openpyxl.xlsx")


def workbook_xlsxwriter():
    """Strings inside the sheet, results beside formulas, text in several faces, dates from 1904, many rows."""
    book = xlsxwriter.Workbook(str(OUT / "ledger-xlsxwriter.xlsx"), {"constant_memory": True, "date_1904": True})
    book.set_properties({"title": "Ledger", "author": "Mona Quist"})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    bold = book.add_format({"bold": True})
    sheet = book.add_worksheet("Ledger")
    for column, text in enumerate(["Number", "Day", "Text", "In", "Out", "Sum"]):
        sheet.write(0, column, text, bold)
    total = 0
    for row in range(1, 2001):
        came, went = row % 7 * 10, row % 5
        total += came - went
        sheet.write_number(row, 0, row)
        sheet.write_datetime(row, 1, datetime.datetime(2026, 1, 1) + datetime.timedelta(days=row % 365), day)
        sheet.write_string(row, 2, f"entry {row} of the ledger")
        sheet.write_number(row, 3, came)
        sheet.write_number(row, 4, went)
        sheet.write_formula(row, 5, f"=F{row}+D{row + 1}-E{row + 1}" if row > 1 else "=D2-E2", None, total)
    faces = book.add_worksheet("Faces")
    faces.write_rich_string(0, 0, "one ", bold, "two", " three")
    faces.write_formula(1, 0, '="spring "&"tide"', None, "spring tide")
    faces.write_formula(2, 0, "=1/0", None, "#DIV/0!")
    faces.write_boolean(3, 0, True)
    faces.write_url(4, 0, "https://harbour.example/tides", string="tides")
    book.close()


def slides():
    """Levels, a table with merged cells, notes, a group, a chart, a picture; the order of slides is not that of their files."""
    show = pptx.Presentation()
    show.core_properties.title = "Storm warning"
    show.core_properties.author = "Nils Holm"
    title = show.slides.add_slide(show.slide_layouts[0])
    title.shapes.title.text = "Storm warning"
    title.placeholders[1].text = "What to do before the wind comes"
    title.notes_slide.notes_text_frame.text = "Speak slowly here."
    points = show.slides.add_slide(show.slide_layouts[1])
    points.shapes.title.text = "Before the storm"
    frame = points.placeholders[1].text_frame
    frame.text = "Tie the boats"
    for text, level in [("with two ropes", 1), ("never with wire", 2), ("Close the hatches", 0)]:
        added = frame.add_paragraph()
        added.text, added.level = text, level
    grid = show.slides.add_slide(show.slide_layouts[5])
    grid.shapes.title.text = "Who watches"
    table = grid.shapes.add_table(3, 3, Cm(2), Cm(5), Cm(18), Cm(4)).table
    for row, cells in enumerate([["Night", "Watch", ""], ["Monday", "Oda", "Per"], ["Tuesday", "Ravi", ""]]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    grid.notes_slide.notes_text_frame.text = "Ask Ravi whether Tuesday is right."
    drawn = show.slides.add_slide(show.slide_layouts[6])
    group = drawn.shapes.add_group_shape()
    group.shapes.add_textbox(Cm(2), Cm(2), Cm(8), Cm(2)).text_frame.text = "Inside the group"
    inner = group.shapes.add_group_shape()
    inner.shapes.add_textbox(Cm(2), Cm(5), Cm(8), Cm(2)).text_frame.text = "Inside the inner group"
    drawn.shapes.add_picture(picture(), Cm(14), Cm(2))
    data = CategoryChartData()
    data.categories = ["Mon", "Tue"]
    data.add_series("Wind", (5, 9))
    drawn.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Cm(2), Cm(8), Cm(10), Cm(8), data)
    # The slide about the watch is shown second, though its file is the third.
    order = show.slides._sldIdLst
    order.insert(1, list(order)[2])
    show.save(OUT / "storm-python-pptx.pptx")
    only = pptx.Presentation()
    for _ in range(2):
        only.slides.add_slide(only.slide_layouts[6]).shapes.add_picture(picture(), Cm(2), Cm(2))
    only.save(OUT / "only-pictures.pptx")


def book():
    """Chapters in an order that is not that of their names; text that is not in the spine."""
    held = epub.EpubBook()
    held.set_identifier("harbour-book")
    held.set_title("Three ways to the sea")
    held.set_language("en")
    held.add_author("Olga Petrova")
    chapters = []
    for name, title, body in [
        ("c-first", "By road", "<p>The road goes <em>straight</em> down to the water.</p><ul><li>past the mill</li><li>past the well</li></ul>"),
        ("a-second", "By rail", "<p>The train stops at the pier.</p><table><tr><th>Train</th><th>Leaves</th></tr><tr><td>Slow</td><td>07:10</td></tr></table>"),
        ("b-third", "By river", "<p>The river takes its time. See <a href=\"a-second.xhtml\">the train</a>.</p><script>let hidden = 'script text';</script>"),
    ]:
        chapter = epub.EpubHtml(title=title, file_name=f"{name}.xhtml", lang="en")
        chapter.content = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>"
        held.add_item(chapter)
        chapters.append(chapter)
    held.toc = chapters
    held.add_item(epub.EpubNcx())
    held.add_item(epub.EpubNav())
    held.spine = chapters
    epub.write_epub(str(OUT / "sea-ebooklib.epub"), held)
    tongues = epub.EpubBook()
    tongues.set_identifier("languages-book")
    tongues.set_title("Article 1")
    tongues.set_language("en")
    chapters = []
    for name, code, text, _ in LANGUAGES:
        chapter = epub.EpubHtml(title=name, file_name=f"{code}.xhtml", lang=code)
        chapter.content = f"<html><body><h2>{name}</h2><p>{text}</p></body></html>"
        tongues.add_item(chapter)
        chapters.append(chapter)
    tongues.spine = tongues.toc = chapters
    tongues.add_item(epub.EpubNcx())
    epub.write_epub(str(OUT / "languages-ebooklib.epub"), tongues)


OUT.mkdir(parents=True, exist_ok=True)
memo()
long_document()
odd_documents()
workbook_openpyxl()
workbook_xlsxwriter()
slides()
book()
