"""Writes PDF documents with reportlab and Pillow: shapes of PDF that word processors do not make."""

import pathlib
import subprocess
import sys

from PIL import Image, ImageFilter
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen import canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from texts import paragraph

BUILD = pathlib.Path(sys.argv[1])
OUT = pathlib.Path(sys.argv[2])


def paper(name, title, author):
    """An empty document of A4 sheets."""
    sheet = canvas.Canvas(str(name), pagesize=A4)
    sheet.setTitle(title)
    sheet.setAuthor(author)
    return sheet


def invoice():
    """Fonts that are not embedded, a table with lines, signs of Windows-1252."""
    style = getSampleStyleSheet()
    document = SimpleDocTemplate(str(OUT / "invoice-reportlab.pdf"), pagesize=A4, title="Invoice 2026-117", author="Pia Wolf")
    rows = [["Position", "Amount", "Price (€)", "Sum (€)"], ["Anchor chain", "2", "140.50", "281.00"], ["Tar, black", "10", "7.90", "79.00"],
            ["Überführung", "1", "55.00", "55.00"], ["Total", "", "", "415.00"]]
    table = Table(rows, colWidths=[6 * cm, 2.5 * cm, 3 * cm, 3 * cm])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, "black"), ("ALIGN", (1, 0), (-1, -1), "RIGHT")]))
    document.build([
        Paragraph("Invoice", style["Heading1"]), Paragraph("Größe und Maße: siehe unten. “Paid in full” – thank you…", style["Normal"]),
        Spacer(1, 0.5 * cm), table, Spacer(1, 0.5 * cm), Paragraph("Please pay within 14 days.", style["Normal"]),
    ])


def far_east():
    """Fonts of Japanese, Chinese and Korean that are named and not embedded, with the standard's own code tables."""
    sheet = paper(OUT / "cid-reportlab.pdf", "Fonts by name", "Pia Wolf")
    for row, (font, text) in enumerate([("HeiseiMin-W3", "すべての人間は自由である"), ("STSong-Light", "人人生而自由"),
                                        ("HYSMyeongJo-Medium", "모든 인간은 자유롭다")]):
        pdfmetrics.registerFont(UnicodeCIDFont(font))
        sheet.setFont(font, 16)
        sheet.drawString(3 * cm, (26 - 2 * row) * cm, text)
    sheet.save()


def turned():
    """Pages that are turned to be read upright, a line that climbs, letters placed one by one, columns drawn line by line."""
    sheet = paper(OUT / "turned-reportlab.pdf", "Turned pages", "Pia Wolf")
    width, height = A4
    for angle in (0, 90, 180, 270):
        sheet.setPageRotation(angle)
        sheet.setFont("Times-Roman", 14)
        # The sheet is turned clockwise when it is shown, so what is drawn is turned the other way. reportlab lays down the sheet
        # of a page that is turned by 90 or 270, so that each page is shown standing.
        sheet.translate(*{0: (0, 0), 90: (height, 0), 180: (width, height), 270: (0, width)}[angle])
        sheet.rotate(angle)
        for row in range(3):
            sheet.drawString(3 * cm, height - (3 + row) * cm, f"Line {row + 1} of the page turned by {angle}")
        sheet.showPage()
    sheet.setPageRotation(0)
    sheet.saveState()
    sheet.translate(1.5 * cm, 5 * cm)
    sheet.rotate(90)
    sheet.drawString(0, 0, "This line climbs the page")
    sheet.restoreState()
    place = 3 * cm
    for letter in "Every letter has its own place":
        sheet.drawString(place, 26 * cm, letter)
        place += pdfmetrics.stringWidth(letter, "Helvetica", 12)
    sheet.setFont("Helvetica", 10)
    columns = [simpleSplit(paragraph(number, 6), "Helvetica", 10, 7.2 * cm) for number in (901, 902)]
    for row, (left, right) in enumerate(zip(*columns)):
        sheet.drawString(3 * cm, (22 - row * 0.45) * cm, left)
        sheet.drawString(11.2 * cm, (22 - row * 0.45) * cm, right)
    sheet.save()


def form():
    """A form whose fields hold text."""
    sheet = paper(OUT / "form-reportlab.pdf", "Form for a berth", "Pia Wolf")
    sheet.setFont("Helvetica", 12)
    for row, (label, value) in enumerate([("Name of the ship", "Aurora Minor"), ("Length in metres", "12.75")]):
        sheet.drawString(3 * cm, (25 - 2 * row) * cm, label)
        sheet.acroForm.textfield(name=f"field{row}", value=value, x=9 * cm, y=(24.8 - 2 * row) * cm, width=6 * cm, height=0.8 * cm)
    sheet.drawString(3 * cm, 20 * cm, "Sign at the office.")
    sheet.save()


def scans():
    """Pictures of pages: a document of them, one with the text laid invisibly over the picture, and single ones to mix in."""
    subprocess.run(["pdftoppm", "-r", "72", "-gray", "-png", str(OUT / "report-libreoffice.pdf"), str(BUILD / "scan")], check=True)
    pages = []
    for number in (1, 2):
        page = Image.open(BUILD / f"scan-{number}.png").convert("L").rotate(0.6, fillcolor=255).filter(ImageFilter.GaussianBlur(0.4))
        page.save(BUILD / f"scan-{number}.jpg", quality=30)
        pages.append(Image.open(BUILD / f"scan-{number}.jpg"))
        pages[-1].save(BUILD / f"scan-{number}.pdf", resolution=72)
    pages[0].save(OUT / "scan-pillow.pdf", save_all=True, append_images=pages[1:], resolution=72, title="Scanned report")
    sheet = paper(OUT / "scan-with-text-reportlab.pdf", "Scan with text", "Pia Wolf")
    sheet.drawImage(str(BUILD / "scan-1.jpg"), 0, 0, *A4)
    words = sheet.beginText(2.2 * cm, 26 * cm)
    words.setTextRenderMode(3)
    words.setFont("Helvetica", 11)
    words.textLine("Recognised words lie unseen above the picture")
    words.textLine("and can be found all the same.")
    sheet.drawText(words)
    sheet.save()
    for number in (1, 3, 5):
        sheet = paper(BUILD / f"mixed-{number}.pdf", "Mixed pages", "Pia Wolf")
        sheet.drawString(3 * cm, 25 * cm, f"Page {number} has letters and words.")
        sheet.save()


def blank():
    """A page with nothing on it."""
    sheet = paper(OUT / "blank-reportlab.pdf", "", "")
    sheet.showPage()
    sheet.save()


OUT.mkdir(parents=True, exist_ok=True)
invoice()
far_east()
turned()
form()
scans()
blank()
