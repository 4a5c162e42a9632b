"""Makes a document with a macro of a document and a workbook that has one, and breaks a PDF's table of its parts."""

import pathlib
import re
import sys
import zipfile

OUT = pathlib.Path(sys.argv[1])


def document_with_macro():
    """The memo, with the macro of the workbook: python-docx and LibreOffice's Writer make no macros of their own."""
    with zipfile.ZipFile(OUT / "macro-libreoffice.xlsm") as book:
        macro = book.read("xl/vbaProject.bin")
    with zipfile.ZipFile(OUT / "memo-python-docx.docx") as memo, zipfile.ZipFile(OUT / "macro-memo.docm", "w", zipfile.ZIP_DEFLATED) as out:
        for part in memo.infolist():
            held = memo.read(part)
            if part.filename == "[Content_Types].xml":
                held = held.replace(b"wordprocessingml.document.main+xml", b"REPLACED").replace(
                    b"application/vnd.openxmlformats-officedocument.REPLACED", b"application/vnd.ms-word.document.macroEnabled.main+xml"
                ).replace(b"</Types>", b'<Override PartName="/word/vbaProject.bin" ContentType="application/vnd.ms-office.vbaProject"/></Types>')
            if part.filename == "word/_rels/document.xml.rels":
                held = held.replace(
                    b"</Relationships>",
                    b'<Relationship Id="rIdMacro" Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject" '
                    b'Target="vbaProject.bin"/></Relationships>',
                )
            out.writestr(part.filename, held)
        out.writestr("word/vbaProject.bin", macro)


def broken_table():
    """A PDF that says a wrong place for the table of its parts; readers find the parts all the same."""
    whole = (OUT / "invoice-reportlab.pdf").read_bytes()
    (OUT / "wrong-xref.pdf").write_bytes(re.sub(rb"startxref\n\d+", b"startxref\n17", whole))
    (OUT / "half.pdf").write_bytes(whole[: len(whole) // 2])


document_with_macro()
broken_table()
