#!/usr/bin/env python3
"""Makes documents that attack their reader, to try by hand. Nothing of it is committed, and nothing runs it.

    tests/documents/hostile.py FOLDER [NAME…]     makes all of them, or those with these names; `--list` says which there are
    tests/documents/hostile.py --run COMMAND FOLDER     gives each file of the folder to the command, and prints how it ended

A reader must end soon with a failure, or with the harmless part of the text. It must not take the memory or the time that the document
asks for, open another file or reach another host. `--run` gives the command the file as its last argument, at most 60 seconds and
at most 4 GiB of memory, and needs GNU time (package time).
"""

import io
import json
import pathlib
import resource
import shlex
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

MAKERS = {}
CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>{}</Types>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
RELATION = '<Relationship Id="{}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}" Target="{}"{}/>'
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
WORD_TYPE = ('<Override PartName="/word/document.xml" '
             'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>')


def maker(name):
    """Registers a function that writes the file of this name."""
    def keep(make):
        MAKERS[name] = make
        return make
    return keep


def parts(path, held, level=9):
    """Writes a zip; a part is bytes, a text, or an iterator of bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as out:
        for name, content in held.items():
            if isinstance(content, (bytes, str)):
                out.writestr(name, content)
            else:
                with out.open(name, "w", force_zip64=True) as part:
                    for piece in content:
                        part.write(piece)


def word(path, document, more=None, relations=""):
    """Writes a docx whose document.xml is this."""
    parts(path, {
        "[Content_Types].xml": CONTENT_TYPES.format(WORD_TYPE),
        "_rels/.rels": RELATIONS.format(RELATION.format("rId1", "officeDocument", "word/document.xml", "")),
        "word/document.xml": document,
        "word/_rels/document.xml.rels": RELATIONS.format(relations),
        **(more or {}),
    })


def body(inner):
    """A document.xml around these paragraphs."""
    return f'<?xml version="1.0"?><w:document {WORD}><w:body>{inner}</w:body></w:document>'


def paragraph(text):
    """A paragraph of a docx."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


@maker("ratio.docx")
def ratio(path):
    """2 GiB of spaces in document.xml, in 2 MB."""
    def pieces():
        yield f'<?xml version="1.0"?><w:document {WORD}><w:body><w:p><w:r><w:t xml:space="preserve">'.encode()
        for _ in range(2048):
            yield b" " * 2**20
        yield b"</w:t></w:r></w:p></w:body></w:document>"
    word(path, pieces())


@maker("wrong-sizes.docx")
def wrong_sizes(path):
    """A part that says it has ten bytes and unpacks to 64 MiB."""
    word(path, body(paragraph("x" * 2**26)))
    raw = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = raw.find(signature)
        while place >= 0:
            size = struct.unpack_from("<I", raw, place + at)[0]
            if size > 2**20:
                struct.pack_into("<I", raw, place + at, 10)
            place = raw.find(signature, place + 4)
    path.write_bytes(raw)


@maker("nested.zip")
def nested(path):
    """Zips in zips, ten in each of six, 10 MiB of zeros in each of the innermost."""
    held = {f"zeros-{number}.xml": b"\0" * (10 * 2**20) for number in range(10)}
    for _ in range(6):
        out = io.BytesIO()
        parts(out, held)
        held = {f"inner-{number}.zip": out.getvalue() for number in range(10)}
    parts(path, held)


@maker("overlapping.docx")
def overlapping(path):
    """Thousand entries that share one part: the directory names the same bytes again and again."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = body(paragraph("shared " * 1_000_000)).encode()
    data = packed.compress(content) + packed.flush()
    name = b"word/document.xml"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(content), len(data), len(content), len(name), 0) + name + data
    directory = b""
    names = [name, b"[Content_Types].xml", b"_rels/.rels"] + [f"word/part{number}.xml".encode() for number in range(1000)]
    for each in names:
        directory += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, zlib.crc32(content), len(data), len(content), len(each), 0, 0,
                                 0, 0, 0, 0) + each
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, len(names), len(names), len(directory), len(local), 0)
    path.write_bytes(local + directory + end)


@maker("many-parts.docx")
def many_parts(path):
    """60,000 parts without content."""
    word(path, body(paragraph("few words")), {f"customXml/item{number}.xml": "" for number in range(60_000)})


@maker("pages.docx")
def pages(path):
    """100,000 pages of a line each."""
    def pieces():
        yield f'<?xml version="1.0"?><w:document {WORD}><w:body>'.encode()
        for number in range(100_000):
            yield (paragraph(f"page {number}") + '<w:p><w:r><w:br w:type="page"/></w:r></w:p>').encode()
        yield b"</w:body></w:document>"
    word(path, pieces())


@maker("deep.docx")
def deep(path):
    """Tables in tables, 100,000 deep."""
    depth = 100_000
    word(path, body("<w:tbl><w:tr><w:tc>" * depth + paragraph("deep") + "</w:tc></w:tr></w:tbl>" * depth))


@maker("wide-table.docx")
def wide_table(path):
    """A row with a cell that says it is two thousand million columns wide."""
    word(path, body('<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr>' + paragraph("wide") + "</w:tc></w:tr></w:tbl>"))


@maker("laughs.docx")
def laughs(path):
    """Entities that stand for ten entities each, ten deep: ten thousand million words."""
    entities = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 11))
    word(path, f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "laugh ">{entities}]>' + body(paragraph("&e10;")).split("?>", 1)[1])


@maker("quadratic.docx")
def quadratic(path):
    """One entity of 1 MB, named 10,000 times."""
    head = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e "{"x" * 10**6}">]>'
    word(path, head + body(paragraph("&e;" * 10_000)).split("?>", 1)[1])


@maker("external.docx")
def external(path):
    """An entity from a file, a template and a picture from other hosts, a link that runs a program, a field that reads a file."""
    relations = "".join([
        RELATION.format("rId1", "attachedTemplate", "http://127.0.0.1:9/template.dotm", ' TargetMode="External"'),
        RELATION.format("rId2", "image", "http://127.0.0.1:9/picture.png", ' TargetMode="External"'),
        RELATION.format("rId3", "hyperlink", "file:///etc/passwd", ' TargetMode="External"'),
        RELATION.format("rId4", "hyperlink", "javascript:alert(1)", ' TargetMode="External"'),
        RELATION.format("rId5", "subDocument", "../../../../etc/passwd", ""),
    ])
    links = "".join(
        f'<w:p><w:hyperlink xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:id="rId{number}"><w:r><w:t>link '
        f"{number}</w:t></w:r></w:hyperlink></w:p>" for number in (3, 4)
    )
    field = '<w:p><w:fldSimple w:instr="INCLUDETEXT &quot;/etc/passwd&quot;"><w:r><w:t>field</w:t></w:r></w:fldSimple></w:p>'
    head = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY % more SYSTEM "http://127.0.0.1:9/more.dtd"> %more;]>'
    word(path, head + body(paragraph("harmless text") + links + field + paragraph("&file;")).split("?>", 1)[1], relations=relations)


@maker("parts-outside.docx")
def parts_outside(path):
    """Relations to parts outside of the document, and a relation of a document to itself."""
    relations = RELATION.format("rId1", "footnotes", "../../../../../etc/passwd", "") + RELATION.format("rId2", "header", "document.xml", "")
    word(path, body(paragraph("harmless text")), {"../../outside.xml": "outside", "/absolute.xml": "absolute"}, relations)


def workbook(path, sheet, strings=None):
    """Writes an xlsx with one sheet."""
    types = (
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        '<Override PartName="/xl/sharedStrings.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
    )
    parts(path, {
        "[Content_Types].xml": CONTENT_TYPES.format(types),
        "_rels/.rels": RELATIONS.format(RELATION.format("rId1", "officeDocument", "xl/workbook.xml", "")),
        "xl/workbook.xml": f'<?xml version="1.0"?><workbook {SHEET} xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
                           '<sheets><sheet name="Sheet" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": RELATIONS.format(RELATION.format("rId1", "worksheet", "worksheets/sheet1.xml", "")
                                                       + RELATION.format("rId2", "sharedStrings", "sharedStrings.xml", "")),
        "xl/sharedStrings.xml": strings or f"<sst {SHEET}><si><t>shared</t></si></sst>",
        "xl/worksheets/sheet1.xml": sheet,
    })


@maker("million-cells.xlsx")
def million_cells(path):
    """A million cells, in 10,000 rows of 100."""
    def pieces():
        yield f'<?xml version="1.0"?><worksheet {SHEET}><sheetData>'.encode()
        for row in range(1, 10_001):
            yield (f'<row r="{row}">' + "".join(f"<c><v>{row * column}</v></c>" for column in range(100)) + "</row>").encode()
        yield b"</sheetData></worksheet>"
    workbook(path, pieces())


@maker("far-cells.xlsx")
def far_cells(path):
    """Two cells, in the first and in the last place of a sheet: a table of 17 thousand million cells between them."""
    workbook(path, f'<worksheet {SHEET}><dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
                   '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData></worksheet>')


@maker("long-string.xlsx")
def long_string(path):
    """One shared string of 1 MB, in 100,000 cells."""
    rows = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 100_001))
    workbook(path, f"<worksheet {SHEET}><sheetData>{rows}</sheetData></worksheet>", f"<sst {SHEET}><si><t>{'s' * 10**6}</t></si></sst>")


@maker("merged.xlsx")
def merged(path):
    """A sheet that is one merged cell."""
    workbook(path, f'<worksheet {SHEET}><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData>'
                   '<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells></worksheet>')


@maker("repeated.ods")
def repeated(path):
    """A cell with text that is said to stand a million times in each of a million rows."""
    names = ('xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
             'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"')
    parts(path, {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": f'<office:document-content {names}><office:body><office:spreadsheet><table:table table:name="S">'
                       '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="1000000" '
                       'office:value-type="string"><text:p>again</text:p></table:table-cell></table:table-row></table:table>'
                       "</office:spreadsheet></office:body></office:document-content>",
        "META-INF/manifest.xml": "<manifest/>",
    })


@maker("spaces.odt")
def spaces(path):
    """A paragraph with two thousand million spaces, said by a number."""
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    parts(path, {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f'<office:document-content {names}><office:body><office:text><text:p>a<text:s text:c="2000000000"/>b</text:p>'
                       "</office:text></office:body></office:document-content>",
        "META-INF/manifest.xml": "<manifest/>",
    })


def pdf(path, objects, trailer="/Root 1 0 R"):
    """Writes a PDF of these objects, numbered from 1 on."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + (content if isinstance(content, bytes) else content.encode()) + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode() + b"".join(b"%010d 00000 n \n" % place for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    path.write_bytes(out)


def stream(data, more=""):
    """A stream of a PDF."""
    return f"<< /Length {len(data)} {more} >>\nstream\n".encode() + data + b"\nendstream"


@maker("cyclic-pages.pdf")
def cyclic_pages(path):
    """A tree of pages whose branches lead back to its root."""
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 2 /Kids [3 0 R 2 0 R] >>",
               "<< /Type /Pages /Count 1 /Parent 2 0 R /Kids [2 0 R 3 0 R] >>"])


@maker("cyclic-forms.pdf")
def cyclic_forms(path):
    """A form that draws itself twice."""
    form = stream(b"/F Do /F Do", "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 4 0 R >> >>")
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 5 0 R /Resources << /XObject << /F 4 0 R >> >> >>", form,
               stream(b"/F Do")])


@maker("forms-of-forms.pdf")
def forms_of_forms(path):
    """Forms that draw the next one ten times, twelve deep, without any circle."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>", stream(b"/F Do")]
    for number in range(12):
        objects.append(stream(b"/F Do " * 10, "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject "
                                              f"<< /F {6 + number} 0 R >> >>"))
    objects.append(stream(b"q Q", "/Type /XObject /Subtype /Form /BBox [0 0 9 9]"))
    pdf(path, objects)


@maker("flate-of-flate.pdf")
def flate_of_flate(path):
    """A page whose content was packed three times; 4 GiB when it is unpacked."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(b" " * 2**20) for _ in range(4096)) + packer.flush()
    data = zlib.compress(zlib.compress(data, 9), 9)
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R >>",
               stream(data, "/Filter [/FlateDecode /FlateDecode /FlateDecode]")])


@maker("deep-arrays.pdf")
def deep_arrays(path):
    """Arrays in arrays, a million deep."""
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R /Deep " + "[" * 10**6 + "]" * 10**6 + " >>", "<< /Type /Pages /Count 0 /Kids [] >>"])


@maker("endless-xref.pdf")
def endless_xref(path):
    """A table of parts that names itself as the one before."""
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 0 /Kids [] >>"])
    raw = path.read_bytes()
    start = raw.rfind(b"xref\n0 ")
    path.write_bytes(raw.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start))


@maker("far-text.pdf")
def far_text(path):
    """Words that stand a million kilometres apart."""
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
               stream(b"BT /F 12 Tf 50 700 Td (near words) Tj 2500000000000 0 Td (far words) Tj 0 -2500000000000 Td (low words) Tj ET"),
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"])


@maker("wide-letters.pdf")
def wide_letters(path):
    """Letters a million kilometres wide, by their size, by the space between them, and by their stretch."""
    content = b"".join(b"BT /F 12 Tf 100 Tz 0 Tc %s 50 %d Td (wide words) Tj ET " % each for each in [
        (b"", 700), (b"/F 2500000000000 Tf", 650), (b"2500000000000 Tc", 600), (b"250000000000000 Tz", 550)])
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>", stream(content),
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"])


@maker("many-words.pdf")
def many_words(path):
    """A page of 300,000 words, each at its own place."""
    words = b"".join(b"1 0 0 1 %d %d Tm (w) Tj " % (number * 7919 % 600, number * 104729 % 800) for number in range(300_000))
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
               stream(zlib.compress(b"BT /F 2 Tf " + words + b"ET"), "/Filter /FlateDecode"),
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"])


@maker("many-lines.pdf")
def many_lines(path):
    """A page of 200,000 lines that cross, as of a table."""
    lines = b"".join(b"%d 0 m %d 800 l S 0 %d m 600 %d l S " % (number % 600, number % 600, number % 800, number % 800) for number in range(100_000))
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
               stream(zlib.compress(lines + b"BT /F 12 Tf 50 700 Td (words) Tj ET"), "/Filter /FlateDecode"),
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"])


@maker("many-pages.pdf")
def many_pages(path):
    """A million pages that are the same page."""
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1000000 /Kids [" + "3 0 R " * 10**6 + "] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R >>", stream(b"BT ET")])


@maker("wide-code-table.pdf")
def wide_code_table(path):
    """A font whose table of letters covers four thousand million codes."""
    table = b"begincmap 1 begincodespacerange <00000000> <ffffffff> endcodespacerange 1 beginbfrange <00000000> <ffffffff> <0041> endbfrange endcmap"
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
               stream(b"BT /F 9 Tf <0000000100000002> Tj ET"),
               "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [7 0 R] >>", stream(table),
               "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo << /Registry (A) /Ordering (I) /Supplement 0 >> /W [0 4000000000 9] >>"])


def with_fonts(path, count, font, table):
    """Writes a PDF of one page that shows two letters in each of so many fonts."""
    names = range(count)
    pdf(path, ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /Font << "
               + " ".join(f"/F{name} {6 + name} 0 R" for name in names) + " >> >> >>",
               stream(b" ".join(b"BT /F%d 9 Tf <48654866> Tj ET" % name for name in names)), stream(table)] + [font] * count)


@maker("wide-ranges.pdf")
def wide_ranges(path):
    """A font that gives each of all characters a width 30,000 times."""
    table = b"1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <4865> <4866> <0041> endbfrange"
    with_fonts(path, 1, "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 5 0 R /DescendantFonts [<< /Subtype "
               f"/CIDFontType2 /BaseFont /X /W [{'0 65535 500 ' * 30_000}] >>] >>", table)


@maker("many-tables.pdf")
def many_tables(path):
    """5,000 fonts with one table of 65,536 letters."""
    table = b"1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0000> <ffff> <0041> endbfrange"
    with_fonts(path, 5000, "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 5 0 R /DescendantFonts [<< /Subtype "
               "/CIDFontType2 /BaseFont /X >>] >>", table)


@maker("markdown.txt")
def markdown_txt(path):
    """A text that is HTML and Markdown, where a page is cut too."""
    path.write_text("<script>alert(1)</script>\n[x](javascript:alert(1))\n\n    <img src=x onerror=alert(1)>\n\n[y]: javascript:alert(1)\n[y]\n"
                    + "<b>word</b> " * 200_000 + "\n", encoding="utf-8")


@maker("external.html")
def external_html(path):
    """Scripts, frames, styles, pictures and links to other hosts and to files."""
    path.write_text(
        '<!doctype html><html><head><title>Out</title><base href="http://127.0.0.1:9/"><meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">'
        '<link rel="stylesheet" href="//127.0.0.1:9/a.css"><script src="//127.0.0.1:9/a.js"></script><style>@import url(//127.0.0.1:9/b.css)</style>'
        '</head><body><p>harmless text</p><img src="file:///etc/passwd" onerror="alert(1)"><iframe src="file:///etc/passwd"></iframe>'
        '<object data="http://127.0.0.1:9/x.svg"></object><a href="javascript:alert(1)">one</a><a href="data:text/html,x">two</a>'
        '<a href="&#x6a;avascript:alert(1)">three</a><a href=" java&#10;script:alert(1)">four</a><p>](javascript:alert(1)) [x](data:x)</p>'
        "<svg><use href='http://127.0.0.1:9/x.svg#a'/><script>alert(1)</script></svg></body></html>", encoding="utf-8")


@maker("external.svg")
def external_svg(path):
    """A picture with an entity from a file, a script, and parts from other hosts."""
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY file SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><text>&file;</text><image xlink:href="http://127.0.0.1:9/a.png"/><script>alert(1)</script></svg>',
        encoding="utf-8")


@maker("deep.html")
def deep_html(path):
    """Elements in elements, a million deep."""
    path.write_text("<div>" * 10**6 + "deep" + "</div>" * 10**6, encoding="ascii")


@maker("spans.html")
def spans(path):
    """Cells that say they span a thousand million rows and columns."""
    path.write_text("<table>" + '<tr><td colspan="1000000000" rowspan="1000000000">x</td></tr>' * 100 + "</table>", encoding="ascii")


@maker("open-elements.html")
def open_elements(path):
    """Elements of formatting that are never closed, which a browser opens again in each paragraph."""
    path.write_text("<p><b><i><a href=x>" * 50_000, encoding="ascii")


@maker("deep.json")
def deep_json(path):
    """Arrays in arrays, a million deep."""
    path.write_text("[" * 10**6 + "]" * 10**6, encoding="ascii")


@maker("columns.csv")
def columns(path):
    """A row of a million columns above 10,000 rows of one."""
    path.write_text("a," * 10**6 + "\n" + "b\n" * 10_000, encoding="ascii")


@maker("deep.eml")
def deep_mail(path):
    """Mails in mails, 5,000 deep."""
    path.write_text("".join(f'Content-Type: multipart/mixed; boundary="b{number}"\n\n--b{number}\n' for number in range(5000))
                    + "Content-Type: text/plain\n\ndeep\n", encoding="ascii")


@maker("cyclic.epub")
def cyclic_epub(path):
    """A book whose order of reading names the same chapter 100,000 times, and parts outside of it."""
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="o" href="../../../etc/passwd" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="o"/>'
        + '<itemref idref="c"/>' * 100_000 + "</spine></package>"
    )
    parts(path, {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="p.opf"/>'
                                  "</rootfiles></container>",
        "p.opf": package,
        "c.xhtml": "<html><body><p>" + "again and again " * 10_000 + "</p></body></html>",
    })


def attempt(command, path):
    """How the command ended with this file: what it said at last, seconds, and MiB of memory."""
    with tempfile.NamedTemporaryFile("r") as said, tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        try:
            done = subprocess.run(
                ["/usr/bin/time", "--quiet", "-f", "%M", "-o", said.name, *command, str(path)], stdout=out, stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL, timeout=60, check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)),
            )
            code = f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            return "**not ended after 60 s**", 60.0, ""
        seconds = time.perf_counter() - start
        words = said.read().split()
        size = out.seek(0, 2)
        out.seek(max(0, size - 500))
        last = out.read().decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        try:
            held = json.loads(last)
            ended = f"{held['reason']}: {held['message']}" if "reason" in held else f"text, {size:,} bytes"
        except (ValueError, KeyError, TypeError):
            ended = f"{code}, {size:,} bytes"
        return ended, seconds, f"{int(words[-1]) / 1024:.0f}" if words else ""


def main():
    """Makes the files that are asked for, or gives them to a command."""
    if sys.argv[1:] in ([], ["--help"], ["-h"]):
        print(__doc__)
    elif sys.argv[1] == "--list":
        for name, make in MAKERS.items():
            print(f"{name:22} {make.__doc__}")
    elif sys.argv[1] == "--run":
        print("| file | ended with | seconds | MiB |\n| --- | --- | ---: | ---: |")
        for path in sorted(pathlib.Path(sys.argv[3]).iterdir()):
            ended, seconds, memory = attempt(shlex.split(sys.argv[2]), path)
            print(f"| `{path.name}` | {ended} | {seconds:.2f} | {memory} |", flush=True)
    else:
        folder = pathlib.Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        for name in sys.argv[2:] or MAKERS:
            MAKERS[name](folder / name)
            print(f"{name:22} {(folder / name).stat().st_size:>12,} bytes  {MAKERS[name].__doc__}")


main()
