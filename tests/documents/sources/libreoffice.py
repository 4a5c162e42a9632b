"""Lets one headless LibreOffice open the flat sources and save them in each format. Run by the Python that has `uno`."""

import pathlib
import subprocess
import sys
import time

import uno
from com.sun.star.beans import PropertyValue

BUILD = pathlib.Path(sys.argv[1]).resolve()
OUT = pathlib.Path(sys.argv[2]).resolve()
PIPE = "corpus"

WORD, ODT, WRITER_PDF = "MS Word 2007 XML", "writer8", "writer_pdf_Export"
EXCEL, ODS, CALC_PDF, CSV = "Calc MS Excel 2007 XML", "calc8", "calc_pdf_Export", "Text - txt - csv (StarCalc)"
POWERPOINT, IMPRESS_PDF = "Impress MS PowerPoint 2007 XML", "impress_pdf_Export"

# (source, file, filter, more properties)
SAVES = [
    ("report.fodt", "report-libreoffice.docx", WORD, {}),
    ("report.fodt", "report-libreoffice.odt", ODT, {}),
    ("report.fodt", "report-libreoffice.pdf", WRITER_PDF, {}),
    ("report.fodt", "report-libreoffice.html", "HTML (StarWriter)", {}),
    ("report.fodt", "report-libreoffice.epub", "EPUB", {}),
    ("report.fodt", "report-libreoffice.doc", "MS Word 97", {}),
    ("report.fodt", "report-libreoffice.rtf", "Rich Text Format", {}),
    ("report.fodt", "secret-libreoffice.doc", "MS Word 97", {"Password": "harbour"}),
    ("report.fodt", "secret-libreoffice.odt", ODT, {"Password": "harbour"}),
    ("languages.fodt", "languages-libreoffice.docx", WORD, {}),
    ("languages.fodt", "languages-libreoffice.odt", ODT, {}),
    ("languages.fodt", "languages-libreoffice.pdf", WRITER_PDF, {}),
    ("changes.fodt", "changes-libreoffice.docx", WORD, {}),
    ("changes.fodt", "changes-libreoffice.odt", ODT, {}),
    ("notice.fodt", "notice-libreoffice.docx", WORD, {}),
    ("notice.fodt", "notice-libreoffice.odt", ODT, {}),
    ("notice.fodt", "notice-libreoffice.pdf", WRITER_PDF, {}),
    ("long-python-docx.docx", "long-libreoffice.pdf", WRITER_PDF, {}),
    ("long-python-docx.docx", "long-libreoffice.odt", ODT, {}),
    ("figures.fods", "figures-libreoffice.xlsx", EXCEL, {}),
    ("figures.fods", "figures-libreoffice.ods", ODS, {}),
    ("figures.fods", "figures-libreoffice.xls", "MS Excel 97", {}),
    ("figures.fods", "secret-libreoffice.xls", "MS Excel 97", {"Password": "harbour"}),
    ("figures.fods", "figures-libreoffice.pdf", CALC_PDF, {}),
    ("figures.fods", "figures-libreoffice.csv", CSV, {"FilterOptions": "44,34,76,1"}),
    ("figures.fods", "figures-libreoffice.tsv", CSV, {"FilterOptions": "9,34,76,1"}),
    ("figures.fods", "secret-libreoffice.ods", ODS, {"Password": "harbour"}),
]

# (title, points with their depth, notes); the second slide has a table too
TALK = [
    ("A new ferry for the harbour", [(0, "Why a ferry"), (1, "the bridge is old"), (1, "the road is long"), (0, "What it costs")],
     "Greet the mayor before you begin."),
    ("What it costs", [(0, "Tickets pay for the fuel")], "Show the price list on paper too."),
    ("What comes next", [(0, "A test in spring"), (0, "A vote in summer")], "Ask for questions."),
]

MACRO = """Sub SailAway
    MsgBox "macro text that nobody reads"
End Sub
"""


def properties(**values):
    """The values as LibreOffice wants them."""
    return tuple(PropertyValue(name, 0, value, 0) for name, value in values.items())


def connect():
    """LibreOffice's desktop, once it listens."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    for _ in range(240):
        try:
            context = resolver.resolve(f"uno:pipe,name={PIPE};urp;StarOffice.ComponentContext")
            return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
        except Exception:
            time.sleep(0.5)
    raise SystemExit("LibreOffice did not start")


def load(desktop, path):
    """Opens a document without a window."""
    return desktop.loadComponentFromURL(path.as_uri(), "_blank", 0, properties(Hidden=True))


def save_with_macro(desktop):
    """Saves the figures as a workbook with a macro."""
    document = load(desktop, BUILD / "figures.fods")
    libraries = document.BasicLibraries
    libraries.VBACompatibilityMode = True
    libraries.ProjectName = "Standard"
    if not libraries.hasByName("Standard"):
        libraries.createLibrary("Standard")
    library = libraries.getByName("Standard")
    information = uno.createUnoStruct("com.sun.star.script.ModuleInfo")
    information.ModuleType = 1
    library.insertModuleInfo("Module1", information)
    library.insertByName("Module1", "Rem Attribute VBA_ModuleType=VBAModule\nOption VBASupport 1\n" + MACRO)
    document.storeToURL((OUT / "macro-libreoffice.xlsm").as_uri(), properties(FilterName="Calc MS Excel 2007 VBA XML"))
    document.close(True)


def write(frame, points):
    """Writes points, each with its depth, into a frame of a slide."""
    text = frame.getText()
    for number, (depth, words) in enumerate(points):
        cursor = text.createTextCursorByRange(text.getEnd())
        if number:
            text.insertControlCharacter(cursor, 0, False)
        cursor = text.createTextCursorByRange(text.getEnd())
        text.insertString(cursor, words, False)
        cursor.NumberingLevel = depth


def save_talk(desktop):
    """Makes slides with titles, lists, a table and speaker notes, and saves them."""
    show = desktop.loadComponentFromURL("private:factory/simpress", "_blank", 0, properties(Hidden=True))
    show.DocumentProperties.Title = "A new ferry"
    show.DocumentProperties.Author = "Fay Okoro"
    slides = show.getDrawPages()
    for number, (title, points, notes) in enumerate(TALK):
        if number:
            slides.insertNewByIndex(number - 1)
        slide = slides.getByIndex(number)
        # A title with an outline below it.
        slide.Layout = 1
        slide.getByIndex(0).String = title
        write(slide.getByIndex(1), points)
        slide.getNotesPage().getByIndex(1).String = notes
    table = show.createInstance("com.sun.star.drawing.TableShape")
    slides.getByIndex(1).add(table)
    cells = table.Model
    cells.Columns.insertByIndex(0, 1)
    cells.Rows.insertByIndex(0, 2)
    for row, pair in enumerate([("Ticket", "Price"), ("Adult", "4.00"), ("Child", "0.00")]):
        for column, words in enumerate(pair):
            cells.getCellByPosition(column, row).String = words
    for column in range(2):
        cells.Columns.getByIndex(column).Width = 8000
    size, place = uno.createUnoStruct("com.sun.star.awt.Size"), uno.createUnoStruct("com.sun.star.awt.Point")
    size.Width, size.Height, place.X, place.Y = 16000, 3000, 4000, 11500
    table.Size, table.Position = size, place
    for name, filter_name in (("talk-libreoffice.pptx", POWERPOINT), ("talk-libreoffice.odp", "impress8"), ("talk-libreoffice.ppt", "MS PowerPoint 97"),
                              ("talk-libreoffice.pdf", IMPRESS_PDF)):
        show.storeToURL((OUT / name).as_uri(), properties(FilterName=filter_name))
    # It is not closed: LibreOffice 7.4 ends with an error when it closes slides with such a table.


def main():
    """Saves all files."""
    OUT.mkdir(parents=True, exist_ok=True)
    office = subprocess.Popen(
        ["soffice", "--headless", "--norestore", "--nologo", f"-env:UserInstallation={(BUILD / 'profile').as_uri()}",
         f"--accept=pipe,name={PIPE};urp;"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    desktop = connect()
    try:
        opened, document = None, None
        for source, name, filter_name, more in SAVES:
            if source != opened:
                if document:
                    document.close(True)
                opened, document = source, load(desktop, BUILD / source)
            document.storeToURL((OUT / name).as_uri(), properties(FilterName=filter_name, **more))
            print(name, flush=True)
        document.close(True)
        save_with_macro(desktop)
        save_talk(desktop)
    finally:
        office.terminate()
        office.wait(30)


main()
